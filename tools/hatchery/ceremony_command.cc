// hatchery ca ceremony: making an offline root before witnesses, with a transcript that the root's
// key signs. Every answer comes from a prompt, or from a script that was agreed on beforehand.
#include "tools/hatchery/ceremony_command.h"

#include "ca/statement.h"
#include "tools/hatchery/ca_hierarchy.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>
#include <sys/utsname.h>

#include <charconv>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>

namespace hatchery::command {

namespace {

struct CeremonyOptions {
    DataOptions data;
    std::string script;
    std::string hsm;
};

/// Asks, and writes down what was asked and answered.
class Ceremony {
  public:
    Result<> read_script(const std::string& file) {
        auto text = read_file(file);
        if (!text) return std::move(text).error();
        std::istringstream lines(*text);
        int number = 0;
        for (std::string line; std::getline(lines, line);) {
            ++number;
            if (line.empty() || line.front() == '#') continue;
            const auto colon = line.find(':');
            if (colon == std::string::npos) {
                return fail(Code::InvalidRequest,
                            "expected NAME: ANSWER",
                            file + ":" + std::to_string(number));
            }
            const auto begin = line.find_first_not_of(' ', colon + 1);
            answers_[line.substr(0, colon)] = begin == std::string::npos ? "" : line.substr(begin);
        }
        is_scripted_ = true;
        note("Scripted: the answers come from " + file);
        return {};
    }

    void note(const std::string& text) {
        transcript_ += to_iso8601(clock_now()) + "  " + text + "\n";
        if (!is_scripted_) std::cout << text << "\n";
    }

    /// @errors InvalidRequest  the script has no answer, or there is nobody to ask
    Result<std::string> ask(const std::string& name, const std::string& question) {
        std::string answer;
        if (is_scripted_) {
            const auto known = answers_.find(name);
            if (known == answers_.end()) {
                return fail(Code::InvalidRequest, "the script does not answer \"" + name + "\"");
            }
            answer = known->second;
        } else {
            std::cout << question << " " << std::flush;
            if (!std::getline(std::cin, answer)) {
                return fail(Code::InvalidRequest, "no answer to: " + question);
            }
        }
        transcript_ +=
            to_iso8601(clock_now()) + "  [" + name + "] " + question + "  ->  " + answer + "\n";
        if (answer.empty() || answer.size() > 256) {
            return fail(Code::InvalidRequest, "expected 1 to 256 characters", name);
        }
        return answer;
    }

    const std::string& transcript() const { return transcript_; }

  private:
    bool is_scripted_ = false;
    std::map<std::string, std::string> answers_;
    std::string transcript_ = "Hatchery key ceremony\n";
};

Result<RootChoices> ask_choices(Ceremony& ceremony) {
    RootChoices choices;
    auto name = ceremony.ask("root-name", "Common name of the root?");
    if (!name) return std::move(name).error();
    choices.name = *name;
    auto kind = ceremony.ask("key-kind", "Kind of key (p256, p384, rsa4096, ed25519)?");
    if (!kind) return std::move(kind).error();
    auto parsed = ca::parse_key_kind(*kind);
    if (!parsed) return std::move(parsed).error();
    choices.key.kind = *parsed;
    auto years = ceremony.ask("years", "Years of validity (1 to 50)?");
    if (!years) return std::move(years).error();
    int count = 0;
    const auto [end, problem] =
        std::from_chars(years->data(), years->data() + years->size(), count);
    if (problem != std::errc{} || end != years->data() + years->size() || count < 1 || count > 50) {
        return fail(Code::InvalidRequest, "expected 1 to 50, found \"" + *years + "\"", "years");
    }
    choices.validity = std::chrono::days(365) * count;
    return choices;
}

/// The transcript and the root's signature over it, beside the root.
Result<> sign_transcript(const CeremonyOptions& options,
                         const Ceremony& ceremony,
                         const Secret& passphrase) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto root = data->root_ca(passphrase);
    if (!root) return std::move(root).error();
    const std::string& text = ceremony.transcript();
    auto signature = ca::sign_text(root->key(), text);
    if (!signature) return std::move(signature).error();
    if (auto good = ca::verify_text(root->certificate(), text, *signature); !good) return good;
    const auto file = data->layout().root / "ceremony.txt";
    auto written = write_file(file, text, kPublic, Existing::Refuse);
    if (!written) return written;
    return write_file(file.string() + ".sig", text_of(*signature), kPublic, Existing::Refuse);
}

Result<> run_ceremony(const CeremonyOptions& options) {
    Ceremony ceremony;
    if (!options.script.empty()) {
        if (auto read = ceremony.read_script(options.script); !read) return read;
    }
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Choose);
    if (!passphrase) return std::move(passphrase).error();
    utsname machine{};
    if (::uname(&machine) == 0) {
        ceremony.note(std::string("Machine: ") + machine.nodename + ", " + machine.sysname + " " +
                      machine.release + ", " + machine.machine);
    }
    for (const auto& [name, question] :
         {std::pair{"purpose", "Purpose of this ceremony?"},
          std::pair{"officer", "Who leads it?"},
          std::pair{"witnesses", "Who witnesses it?"},
          std::pair{"offline", "Is this machine off every network (yes)?"}}) {
        auto answer = ceremony.ask(name, question);
        if (!answer) return std::move(answer).error();
        if (std::string_view(name) == "offline" && *answer != "yes") {
            return fail(Code::InvalidRequest, "a root is made on a machine off every network");
        }
    }
    auto choices = ask_choices(ceremony);
    if (!choices) return std::move(choices).error();
    choices->key.hsm = options.hsm;
    ceremony.note("The key pair is generated and the root signs itself");
    auto root = make_offline_root(options.data.directory, *choices, *passphrase, clock_now());
    if (!root) return std::move(root).error();
    ceremony.note("Root: " + root->fields().subject.to_string() + ", serial number " +
                  root->serial_hex() + ", until " + to_iso8601(root->fields().not_after));
    ceremony.note("SHA-256 of the certificate: " + root->id().hex());
    ceremony.note(options.hsm.empty()
                      ? "The private key is encrypted with the passphrase, in ca/root.key"
                      : "The private key was made in the HSM and cannot be read: " + options.hsm);
    auto agreed = ceremony.ask("fingerprint-noted", "Has every witness noted the SHA-256 (yes)?");
    if (!agreed) return std::move(agreed).error();
    ceremony.note("The ceremony ends; the root's key signs this transcript\n\n" + root->pem());
    if (auto done = sign_transcript(options, ceremony, *passphrase); !done) return done;
    return print("root " + root->id().hex() + "\n" + options.data.directory +
                 "/ceremony.txt, signature in ceremony.txt.sig\n");
}

}  // namespace

void add_ceremony_command(CLI::App& group, int& exit_code) {
    auto* command = group.add_subcommand("ceremony", "Make an offline root before witnesses");
    auto options = std::make_shared<CeremonyOptions>();
    command->add_option("DIR", options->data.directory, "Directory to make; new or empty")
        ->required();
    command->add_option("--script", options->script, "Answers, NAME: ANSWER a line (else prompts)");
    command->add_option("--hsm", options->hsm, kHsmHelp);
    add_passphrase_option(*command, options->data);
    command->footer(
        "Example:\n  hatchery ca ceremony offline-root --script ceremony.script\n\n"
        "A script answers purpose, officer, witnesses, offline, root-name, key-kind, years and\n"
        "fingerprint-noted. Check the transcript with the root's certificate:\n"
        "  openssl x509 -in offline-root/ca/root.crt -noout -pubkey > root.pub\n"
        "  openssl dgst -sha384 -verify root.pub -signature offline-root/ceremony.txt.sig \\\n"
        "      offline-root/ceremony.txt      # -sha256 for rsa4096 and p256");
    on_run(*command, exit_code, [options] { return run_ceremony(*options); });
}

}  // namespace hatchery::command
