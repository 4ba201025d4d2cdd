// hatchery template schema: the template language as a JSON Schema (draft 7), for editors. It says
// less than `validate`: no references, no lookups. Whatever it refuses, `validate` has a finding
// for (tests/cli/template_schema.sh).
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/template_command.h"

#include <CLI/CLI.hpp>

#include <string_view>

namespace hatchery::command {

namespace {

constexpr std::string_view kTemplateSchema = R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "AWS IoT provisioning template",
  "description": "For first connects (JITP), claims and RegisterThing. `hatchery template validate` checks more.",
  "type": "object",
  "required": ["Resources"],
  "additionalProperties": false,
  "properties": {
    "Parameters": {
      "description": "What a device brings: names and their Default. AWS::IoT::Certificate::* come from the certificate at a first connect.",
      "type": "object",
      "additionalProperties": {
        "type": "object",
        "required": ["Type"],
        "additionalProperties": false,
        "properties": {
          "Type": {"const": "String"},
          "Default": {"type": "string", "description": "Used when the parameter is absent or empty."}
        }
      }
    },
    "Mappings": {
      "description": "Map name, key, key, string; read by Fn::FindInMap.",
      "type": "object",
      "additionalProperties": {
        "type": "object",
        "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}}
      }
    },
    "Resources": {
      "description": "At most one thing and one certificate; any number of policies.",
      "type": "object",
      "additionalProperties": {"$ref": "#/definitions/resource"}
    },
    "DeviceConfiguration": {
      "description": "Answered to a device that registers by claim.",
      "type": "object",
      "additionalProperties": {"$ref": "#/definitions/text"}
    }
  },
  "definitions": {
    "text": {
      "description": "A string, or a function that gives one.",
      "anyOf": [{"type": "string"}, {"$ref": "#/definitions/textFunction"}]
    },
    "textFunction": {
      "type": "object",
      "minProperties": 1,
      "maxProperties": 1,
      "additionalProperties": false,
      "properties": {
        "Ref": {"type": "string", "description": "The value of a parameter."},
        "Fn::Join": {
          "description": "[delimiter, [values]]",
          "type": "array",
          "items": [{"type": "string"}, {"$ref": "#/definitions/list"}],
          "minItems": 2,
          "maxItems": 2
        },
        "Fn::Select": {
          "description": "[index, list], counted from 0",
          "type": "array",
          "items": [
            {
              "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": "^[0-9]+$"},
                {"$ref": "#/definitions/textFunction"}
              ]
            },
            {"$ref": "#/definitions/list"}
          ],
          "minItems": 2,
          "maxItems": 2
        },
        "Fn::FindInMap": {
          "description": "[map, key, key]",
          "type": "array",
          "items": {"$ref": "#/definitions/text"},
          "minItems": 3,
          "maxItems": 3
        },
        "Fn::Sub": {
          "description": "\"text ${Parameter}\", or [\"text ${x}\", {\"x\": value}]; ${!x} stands for the text ${x}",
          "anyOf": [
            {"type": "string"},
            {
              "type": "array",
              "items": [
                {"type": "string"},
                {"type": "object", "additionalProperties": {"$ref": "#/definitions/text"}}
              ],
              "minItems": 2,
              "maxItems": 2
            }
          ]
        }
      }
    },
    "list": {
      "description": "A list of values, or Fn::Split.",
      "anyOf": [
        {"type": "array", "items": {"$ref": "#/definitions/text"}},
        {
          "type": "object",
          "required": ["Fn::Split"],
          "additionalProperties": false,
          "properties": {
            "Fn::Split": {
              "description": "[delimiter, text]",
              "type": "array",
              "items": [{"type": "string", "minLength": 1}, {"$ref": "#/definitions/text"}],
              "minItems": 2,
              "maxItems": 2
            }
          }
        }
      ]
    },
    "name": {
      "anyOf": [
        {"type": "string", "pattern": "^[a-zA-Z0-9:_-]{1,128}$"},
        {"$ref": "#/definitions/textFunction"}
      ]
    },
    "override": {"enum": ["DO_NOTHING", "REPLACE", "FAIL"]},
    "overrideOrMerge": {"enum": ["DO_NOTHING", "REPLACE", "FAIL", "MERGE"]},
    "resource": {
      "type": "object",
      "required": ["Type", "Properties"],
      "additionalProperties": false,
      "properties": {
        "Type": {"enum": ["AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"]},
        "Properties": {"type": "object"},
        "OverrideSettings": {
          "description": "What becomes of the properties of a thing or certificate that exists.",
          "type": "object"
        }
      },
      "allOf": [
        {
          "if": {"properties": {"Type": {"const": "AWS::IoT::Thing"}}},
          "then": {"$ref": "#/definitions/thing"}
        },
        {
          "if": {"properties": {"Type": {"const": "AWS::IoT::Certificate"}}},
          "then": {"$ref": "#/definitions/certificate"}
        },
        {
          "if": {"properties": {"Type": {"const": "AWS::IoT::Policy"}}},
          "then": {"$ref": "#/definitions/policy"}
        }
      ]
    },
    "thing": {
      "properties": {
        "Properties": {
          "type": "object",
          "required": ["ThingName"],
          "additionalProperties": false,
          "properties": {
            "ThingName": {"$ref": "#/definitions/name"},
            "ThingTypeName": {"$ref": "#/definitions/name", "description": "Must exist."},
            "ThingGroups": {
              "description": "At most 10; each must exist.",
              "anyOf": [
                {"type": "array", "items": {"$ref": "#/definitions/name"}, "maxItems": 10},
                {"$ref": "#/definitions/list"}
              ]
            },
            "BillingGroup": {"$ref": "#/definitions/name", "description": "Must exist."},
            "AttributePayload": {
              "description": "Names and values: 3 without a thing type, 50 with one; no spaces.",
              "type": "object",
              "maxProperties": 50,
              "propertyNames": {"pattern": "^(?!Ref$|Fn::)[a-zA-Z0-9_.,@/:#-]{1,128}$"},
              "additionalProperties": {
                "anyOf": [
                  {"type": "string", "pattern": "^[a-zA-Z0-9_.,@/:#=\\[\\]-]{0,800}$"},
                  {"$ref": "#/definitions/textFunction"}
                ]
              }
            }
          }
        },
        "OverrideSettings": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "AttributePayload": {"$ref": "#/definitions/overrideOrMerge"},
            "ATTRIBUTE_PAYLOAD": {"$ref": "#/definitions/overrideOrMerge"},
            "ThingTypeName": {"$ref": "#/definitions/override"},
            "THING_TYPE_NAME": {"$ref": "#/definitions/override"},
            "ThingGroups": {"$ref": "#/definitions/overrideOrMerge"},
            "THING_GROUPS": {"$ref": "#/definitions/overrideOrMerge"}
          }
        }
      }
    },
    "certificate": {
      "properties": {
        "Properties": {
          "type": "object",
          "additionalProperties": false,
          "oneOf": [
            {"required": ["CertificateId"]},
            {"required": ["CertificateSigningRequest"]},
            {"required": ["CertificatePem"]}
          ],
          "dependencies": {"CACertificatePem": ["CertificatePem"]},
          "properties": {
            "CertificateId": {
              "description": "First connect and claim: {\"Ref\": \"AWS::IoT::Certificate::Id\"}.",
              "anyOf": [
                {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
                {"$ref": "#/definitions/textFunction"}
              ]
            },
            "CertificateSigningRequest": {"$ref": "#/definitions/text", "description": "RegisterThing and bulk only."},
            "CertificatePem": {"$ref": "#/definitions/text", "description": "RegisterThing and bulk only."},
            "CACertificatePem": {
              "$ref": "#/definitions/text",
              "description": "Beside CertificatePem, when several registered CAs have one subject."
            },
            "Status": {
              "anyOf": [
                {"type": "string", "pattern": "^([Aa][Cc][Tt][Ii][Vv][Ee]|[Ii][Nn][Aa][Cc][Tt][Ii][Vv][Ee])$"},
                {"$ref": "#/definitions/textFunction"}
              ]
            },
            "ThingPrincipalType": {
              "anyOf": [
                {"enum": ["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"]},
                {"$ref": "#/definitions/textFunction"}
              ]
            }
          }
        },
        "OverrideSettings": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "Status": {"$ref": "#/definitions/override"},
            "STATUS": {"$ref": "#/definitions/override"}
          }
        }
      }
    },
    "policy": {
      "properties": {
        "Properties": {
          "type": "object",
          "additionalProperties": false,
          "anyOf": [{"required": ["PolicyName"]}, {"required": ["PolicyDocument"]}],
          "properties": {
            "PolicyName": {
              "description": "Alone: must exist. With PolicyDocument: created under this name.",
              "anyOf": [
                {"type": "string", "pattern": "^[a-zA-Z0-9_+=,.@-]{1,128}$"},
                {"$ref": "#/definitions/textFunction"}
              ]
            },
            "PolicyDocument": {
              "description": "An object, with functions at any value, or a string of JSON.",
              "type": ["object", "string"],
              "not": {"required": ["Fn::Split"], "maxProperties": 1, "type": "object"}
            }
          }
        },
        "OverrideSettings": {"type": "object", "maxProperties": 0}
      }
    }
  }
}
)json";

}  // namespace

void add_template_schema(CLI::App& command, int& exit_code) {
    CLI::App* sub =
        command.add_subcommand("schema", "Print a JSON Schema of templates, for editors");
    sub->footer("Example:\n  hatchery template schema > provisioning-template.schema.json");
    sub->callback([&exit_code] { exit_code = finish(print(kTemplateSchema)); });
}

}  // namespace hatchery::command
