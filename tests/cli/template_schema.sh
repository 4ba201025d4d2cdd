# hatchery template schema against the corpus: what validate finds nothing in is valid, and whatever the schema refuses
# validate has a finding for, over the corpus and thousands of templates with one value changed.
script=$(realpath "$0")
source "$(dirname "$0")/lib.sh"
unset HATCHERY_PASSPHRASE
data=$(dirname "$script")/../data/templates
run 0 "$hatchery" template schema
cp out schema.json
python3 - "$hatchery" "$data" << 'PY'
import copy, glob, json, os, random, subprocess, sys
import jsonschema

hatchery, data = sys.argv[1:]
schema = json.load(open("schema.json"))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
# Codes of structure: what a schema can say at all.
STRUCTURE = {"T101", "T102", "T104", "T105", "T110", "T202", "T203", "T207", "T301", "T303", "T305", "T307", "T311"}

def paths(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, path + (key,))

def changed(template, path, value):
    template = copy.deepcopy(template)
    at = template
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return template

templates = []
for file in sorted(glob.glob(data + "/good/*.json") + glob.glob(data + "/diagnostics/*.json")):
    try:
        templates.append((os.path.basename(file), json.load(open(file))))
    except ValueError:
        pass
assert len(templates) > 12, len(templates)
rng = random.Random(4)
VALUES = ["", "x y", "name", 1, True, None, [], ["a"], {}, {"Ref": "X"}, {"Fn::Split": ["-", "a-b"]}, {"Fn::Join": ["", []]},
          {"Fn::Base64": "x"}, "MERGE", "ACTIVE", {"x": {"y": "z"}}]
corpus = list(templates)
for name, template in [t for t in templates if t[0] in os.listdir(data + "/good")]:
    for path in paths(template):
        if path and "PolicyDocument" not in path[:-1]:
            for value in rng.sample(VALUES, 4):
                corpus.append((name, changed(template, path, value)))

os.mkdir("corpus")
names = []
for i, (name, template) in enumerate(corpus):
    names.append("corpus/%05d_%s" % (i, name))
    json.dump(template, open(names[-1], "w"))
findings = {name: set() for name in names}
for kind in ("jitp", "claim", "bulk"):
    chosen = [n for n in names if os.path.basename(n)[6:].startswith(kind)]
    for start in range(0, len(chosen), 500):
        run = subprocess.run([hatchery, "template", "validate", "--type", kind, "--format", "json", *chosen[start:start + 500]],
                             capture_output=True, text=True)
        assert run.returncode in (0, 1), run.stderr
        for found in json.loads(run.stdout)["findings"]:
            findings[found["file"]].add(found["code"])

wrong = 0
refused = 0
for name, (_, template) in zip(names, corpus):
    is_valid = validator.is_valid(template)
    codes = findings[name]
    refused += not is_valid
    if "templateBody" in template:
        continue  # an input document, not a template
    if (not is_valid and not codes) or (is_valid and codes & STRUCTURE):
        wrong += 1
        print(name, is_valid, codes, json.dumps(template)[:600], file=sys.stderr)
for name, template in templates:
    if name in os.listdir(data + "/good"):
        validator.validate(template)
assert not wrong, wrong
assert refused > 300, refused
PY
