// One attempt of one action, a function a kind. Private to this box.
#pragma once

#include "provisioning/rule_actions/engine.h"

namespace hatchery::rule_actions {

/// What an attempt gets: the resolved members of the action and the payload to deliver.
struct Delivery {
    std::map<std::string, std::string> target;
    ByteView payload;
    std::string rule;
    Time now;

    const std::string& text(const std::string& member) const {
        static const std::string kEmpty;
        const auto found = target.find(member);
        return found == target.end() ? kEmpty : found->second;
    }
};

/// Each: @errors Unavailable  the other side is not there or says no; InvalidRequest  the target
/// makes no sense
Result<> deliver_http(const Delivery& delivery, std::chrono::seconds timeout);
Result<> deliver_s3(const Delivery& delivery,
                    const S3Options& options,
                    std::chrono::seconds timeout);
Result<> deliver_file(const Delivery& delivery, const std::filesystem::path& folder);
Result<> deliver_mail(const Delivery& delivery,
                      const SmtpOptions& options,
                      const std::map<std::string, std::vector<std::string>>& mail,
                      std::chrono::seconds timeout);

/// Signature Version 4 of a PUT as S3 has it (AWS S3 API Reference, "Signature Calculations for the
/// Authorization Header: Transferring Payload in a Single Chunk").
struct S3Signature {
    std::string authorization;
    std::string date;            ///< x-amz-date
    std::string content_sha256;  ///< x-amz-content-sha256
};
/// @param path  percent-encoded, with a slash in front
/// @param acl   x-amz-acl, or empty
S3Signature sign_s3_put(const S3Options& options,
                        std::string_view host,
                        std::string_view path,
                        std::string_view acl,
                        ByteView payload,
                        Time now);

}  // namespace hatchery::rule_actions
