# hatchery template validate --format: for scripts, code scanners and workflows; stacks in YAML; exit codes.
source "$(dirname "$0")/lib.sh"
unset HATCHERY_PASSPHRASE
cat > 'stack, v1.yaml' << 'YAML'
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Claim:
    Type: AWS::IoT::ProvisioningTemplate
    Properties:
      Enabled: true
      TemplateBody: !Sub |
        {"Parameters": {"Serial": {"Type": "String"}, "Unused": {"Type": "String"}},
         "Resources": {"ä": {"Properties": {"ThingName": {"Ref": "Serail"}}, "Type": "AWS::IoT::Thing"},
          "p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "${Policy}"}},
          "c": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}}}}
YAML
cat > good.yaml << 'YAML'
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Queue: {Type: AWS::SQS::Queue}
YAML

# A stack without any template is clean; text names the line of the outer file.
run 0 "$hatchery" template validate good.yaml
equal "$out$err" "" "output for a stack without templates"
run 1 "$hatchery" template validate 'stack, v1.yaml'
equal "$out" 'stack, v1.yaml:9:67: error: Cannot resolve reference value: Serail; expected a name that Parameters declares, found "Serail" [T201]
    ces": {"ä": {"Properties": {"ThingName": {"Ref": "Serail"}}, "Type": "AWS::IoT::Thing"},
                                                     ^~~~~~~~
    suggestion: did you mean "Serial"?' "text"

run 1 "$hatchery" template validate --format github good.yaml 'stack, v1.yaml'
equal "$out" '::warning file=stack%2C v1.yaml,line=8,endLine=8,col=25,endColumn=33,title=T107::expected a Ref to the parameter "Serial", found none
::warning file=stack%2C v1.yaml,line=8,endLine=8,col=55,endColumn=63,title=T107::expected a Ref to the parameter "Unused", found none
::error file=stack%2C v1.yaml,line=9,endLine=9,col=66,endColumn=74,title=T201::Cannot resolve reference value: Serail; expected a name that Parameters declares, found "Serail"%0Adid you mean "Serial"?' "github"

run 1 "$hatchery" template validate --format json good.yaml 'stack, v1.yaml'
equal "$(python3 -c '
import json
report = json.load(open("out"))
print(report["files"], report["errors"], report["warnings"])
found = report["findings"][2]
print(*[found[k] for k in ("file", "template", "type", "code", "severity", "pointer", "line", "column", "endLine", "endColumn", "suggestion")], sep="|")
')" '2 1 2
stack, v1.yaml|/Resources/Claim/Properties/TemplateBody|claim|T201|error|/Resources/ä/Properties/ThingName/Ref|9|67|9|75|did you mean "Serial"?' "json"

# SARIF 2.1.0, the members that code scanners read; columns in characters.
run 1 "$hatchery" template validate --format sarif 'stack, v1.yaml'
equal "$(python3 -c '
import json
sarif = json.load(open("out"))
run, = sarif["runs"]
rules = run["tool"]["driver"]["rules"]
print(sarif["version"], run["columnKind"], [rule["id"] for rule in rules])
for result in run["results"]:
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert rules[result["ruleIndex"]]["help"]["text"]
    place, = result["locations"]
    physical = place["physicalLocation"]
    print(result["ruleId"], result["level"], physical["artifactLocation"]["uri"], physical["region"])
')" "2.1.0 unicodeCodePoints ['T107', 'T201']
T107 warning stack%2C%20v1.yaml {'startLine': 8, 'startColumn': 25, 'endLine': 8, 'endColumn': 33}
T107 warning stack%2C%20v1.yaml {'startLine': 8, 'startColumn': 55, 'endLine': 8, 'endColumn': 63}
T201 error stack%2C%20v1.yaml {'startLine': 9, 'startColumn': 66, 'endLine': 9, 'endColumn': 74}" "sarif"

# A clean run still prints a whole document; strict turns warnings into errors; what cannot run says so.
for format in json sarif; do
    run 0 "$hatchery" template validate --format "$format" good.yaml
    python3 -m json.tool out > /dev/null
done
run 0 "$hatchery" template validate --format github good.yaml
equal "$out" "" "github for a clean file"
sed 's/Serail/Serial/' 'stack, v1.yaml' > warned.yaml
run 0 "$hatchery" template validate --format json warned.yaml
run 1 "$hatchery" template validate --format json --strict warned.yaml
contains "$out" '"errors": 1' "strict"
run 2 "$hatchery" template validate --format json missing.yaml 'stack, v1.yaml'
contains "$out" '"errors": 1' "the readable file beside a missing one"
run 2 "$hatchery" template validate --format xml good.yaml
equal "$out" "" "stdout of a wrong option"
