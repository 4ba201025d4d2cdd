// Topic rules at work: which rules a message meets, and a durable queue of what their actions have
// to do. In: messages that pass the gateway. Out: republished messages, HTTP requests, objects in
// S3-compatible storage, lines in files, e-mails. What was queued survives a restart and is done at
// least once. Knows no MQTT connection. Read first: Engine, then engine.cc, deliver.h.
#pragma once

#include "ca/base/secret.h"
#include "provisioning/registry/topic_rules.h"
#include "provisioning/topic_rules/statement.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hatchery::rule_actions {

/// Any S3-compatible storage, buckets by path: ENDPOINT/BUCKET/KEY.
struct S3Options {
    std::string endpoint;  ///< "https://HOST[:PORT]"; empty: none, s3 actions fail
    std::string region = "us-east-1";
    std::string access_key_id;
    Secret secret_access_key;
    std::string ca_file;  ///< PEM; empty: the system's
};

/// A relay that takes mail without TLS and login, as on the same machine.
struct SmtpOptions {
    std::string host;  ///< empty: none, sns actions fail
    int port = 25;
    std::string from;
};

struct Options {
    std::filesystem::path folder;  ///< where cloudwatchLogs actions append
    S3Options s3{};
    SmtpOptions smtp{};
    /// Who gets mail for the SNS topic of a name, the last part of a targetArn.
    std::map<std::string, std::vector<std::string>> mail{};
    int attempts = 5;  ///< then the error action; waits of 1, 2, 4 … seconds between them
    std::chrono::seconds timeout{10};    ///< of one attempt
    std::int64_t max_actions = 100'000;  ///< queued; beyond, what comes is dropped and logged
    std::int64_t max_bytes = std::int64_t{256} * 1024 * 1024;  ///< of their payloads
};

/// How a republish action reaches the broker.
class Republisher {
  public:
    virtual ~Republisher() = default;
    /// Publishes with QoS 1; returns once the broker has the message. @errors Unavailable
    virtual Result<> republish(std::string topic, ByteView payload) = 0;
};

/// Thread-safe. Its threads end with it; what is queued then is done after the next start.
class Engine {
  public:
    /// @param store  outlives it
    static Result<std::unique_ptr<Engine>> start(store::Store& store, Options options);
    virtual ~Engine() = default;

    /// Is there any rule? Cheap enough for every packet.
    virtual bool has_rules() const = 0;
    /// What the rules make of `message`. Rules follow a change within half a second.
    virtual std::vector<registry::QueuedAction> match(const topic_rules::Message& message) = 0;
    /// Queues `actions` durably. A full queue drops them, which is logged and no error.
    /// @errors of the store
    virtual Result<> keep(std::vector<registry::QueuedAction> actions) = 0;
    /// The same without waiting, for messages whose publisher does not (QoS 0).
    virtual void keep_later(std::vector<registry::QueuedAction> actions) = 0;
    /// From now on republish actions go to `republisher`; null: they wait. Returns when the one
    /// before is not used any more.
    virtual void set_republisher(Republisher* republisher) = 0;
};

}  // namespace hatchery::rule_actions
