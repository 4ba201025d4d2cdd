// The kind "command", and what "lambda" shares with it: a pool of long-lived worker processes.
#pragma once

#include "hooks/worker.h"

namespace hatchery::hooks {

/// A pool of workers. They start when they are first needed, and are replaced when they die, hang,
/// or say what nobody asked for.
struct WorkerPoolConfig {
    std::string name;
    Program program;
    bool is_lambda = false;  ///< requests as lambda_line, not as event_line
    int workers = 2;
    int queue = 1000;
};
std::unique_ptr<Hook> make_worker_pool(WorkerPoolConfig config);

/// @errors InvalidRequest  no command, a program that is not there, workers outside 1..64; `where`
/// = the key
Result<std::unique_ptr<Hook>> make_command(const HookConfig& config);
/// The kind "lambda": an unmodified AWS Lambda handler, run by a shim of ours (lambda.cc).
/// @errors InvalidRequest  no FILE:FUNCTION, a file that is not there or that no shim runs; `where`
/// = the key
Result<std::unique_ptr<Hook>> make_lambda(const HookConfig& config);

/// workers (0: `normal`) and queue. @errors InvalidRequest  outside 1..64 and 0..10000
Result<> check_workers(const HookConfig& config);
inline int workers_of(const HookConfig& config, int normal) {
    return config.workers == 0 ? normal : config.workers;
}

}  // namespace hatchery::hooks
