// The parts of bench_gateway: devices with certificates made ahead, the limit, and the load.
#pragma once

#include "ca/base/bytes.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace hatchery::bench {

using Clock = std::chrono::steady_clock;

/// Ends the program with what went wrong.
[[noreturn]] void give_up(const std::string& message);

/// A device as it leaves the factory; owns its key and its certificate.
struct Device {
    std::shared_ptr<evp_pkey_st> key;
    std::shared_ptr<x509_st> certificate;
    std::string name;  ///< the subject's serial number: thing and client id
};

/// Writes a CA, a server certificate of it (localhost) and `count` devices with P-256 keys to
/// `directory`: ca.pem, ca.key, server.pem, server.key, devices.
void make_devices(const std::string& directory, std::size_t count);
/// `count` devices of `directory`, the first being number `from`.
std::vector<Device> load_devices(const std::string& directory, std::size_t from, std::size_t count);

/// The limit: a bare epoll and OpenSSL loop. It ends TLS 1.3 with client certificates of the CA in
/// `directory`, answers CONNECT with CONNACK, and writes what comes later to a socket that a
/// process of its own empties. Prints its port, then runs until it is killed.
[[noreturn]] void run_limit(const std::string& directory, int threads);

enum class Load {
    Connect,    ///< TCP, TLS, CONNECT until CONNACK, DISCONNECT
    Hold,       ///< the same without DISCONNECT: all stay until the last has its CONNACK
    ClaimCsr,   ///< connect, subscribe, CreateCertificateFromCsr, RegisterThing, DISCONNECT
    ClaimKeys,  ///< likewise with CreateKeysAndCertificate
    Publish,    ///< connect, many QoS 0 publishes of 100 bytes, one QoS 1 to know the end
    Watch,      ///< connect, a QoS 1 publish at a time for a while, or until SIGTERM
};
struct LoadOptions {
    Load load = Load::Connect;
    std::string directory;
    std::string host = "127.0.0.1";
    int port = 0;
    long process = 0;  ///< the server's, whose CPU time is read
    std::size_t from = 0;
    std::size_t count = 1000;
    std::size_t at_once = 32;
    std::size_t publishes = 100'000;      ///< of a Publish connection
    std::chrono::milliseconds pause{20};  ///< of Watch, between two publishes of a device
    std::chrono::seconds duration{10};    ///< of Watch, at most
    std::string claim_certificate, claim_key, claim_template;  ///< PEM files
    std::string topic = "AnyCompany/{thing}/telemetry";
};
struct LoadResult {
    std::size_t done = 0, failed = 0;
    std::string first_failure;
    std::chrono::duration<double> took{};
    double user_us = 0, system_us = 0;  ///< the server's, all of it
    double server_kib = 0;              ///< growth of its memory until the end
    std::vector<double> ms;             ///< each: until CONNACK, the whole claim flow, or PUBACK
};
/// One thread, one event loop.
LoadResult run_load(const LoadOptions& options);

}  // namespace hatchery::bench
