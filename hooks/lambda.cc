// The kind "lambda": handler files written for AWS Lambda, unmodified. A shim of ours, handed to
// the interpreter on its command line, speaks the worker's lines and calls the handler.
#include "hooks/command.h"

#include <unistd.h>

#include <array>

namespace hatchery::hooks {

namespace {

constexpr int kNormalLambdaWorkers = 2;

// Answers leave on descriptor 3; whatever the handler prints goes to the log. The handler's folder
// is first on sys.path, as the task root is on AWS.
constexpr std::string_view kPythonShim = R"py(
import importlib.util, inspect, json, os, sys, time, traceback

path, function, name = sys.argv[1:4]
answers = os.fdopen(3, "wb", 0)
requests = os.fdopen(os.dup(0), "rb")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # a program that the handler runs must not read ours


class Context:
    """The context object of AWS Lambda."""

    def __init__(self, request_id, remaining_ms):
        self._end = time.monotonic() + remaining_ms / 1000
        self.aws_request_id = request_id
        self.function_name = name
        self.function_version = "$LATEST"
        self.invoked_function_arn = "arn:aws:lambda:hatchery:000000000000:function:" + name
        self.memory_limit_in_mb = "128"
        self.log_group_name = "/aws/lambda/" + name
        self.log_stream_name = str(os.getpid())
        self.identity = None
        self.client_context = None

    def get_remaining_time_in_millis(self):
        return max(0, int((self._end - time.monotonic()) * 1000))

    def log(self, message):
        print(message)


def failure(error):
    traceback.print_exc()
    return {"errorType": type(error).__name__, "errorMessage": str(error) or type(error).__name__}


def load():
    folder = os.path.dirname(os.path.abspath(path))
    sys.path.insert(0, folder)
    os.environ.setdefault("AWS_LAMBDA_FUNCTION_NAME", name)
    os.environ.setdefault("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    os.environ.setdefault("LAMBDA_TASK_ROOT", folder)
    os.environ.setdefault("_HANDLER", os.path.basename(path) + ":" + function)
    module_name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return getattr(module, function)


def call(handler, request):
    answer = handler(request["event"], Context(request["requestId"], request["remainingMs"]))
    if inspect.iscoroutine(answer):
        raise TypeError("AWS Lambda does not await a Python handler")
    if not isinstance(answer, dict):
        raise TypeError("expected the handler to return a dict, found " + type(answer).__name__)
    json.dumps(answer)
    return answer


broken = None
try:
    handler = load()
except BaseException as error:
    broken = failure(error)
sys.argv = [path]
for line in requests:
    request = json.loads(line)
    if broken:
        answer = dict(broken)
    else:
        try:
            answer = dict(call(handler, request))
        except Exception as error:
            answer = failure(error)
    answer["requestId"] = request["requestId"]
    sys.stdout.flush()
    sys.stderr.flush()
    answers.write(json.dumps(answer).encode() + b"\n")
    if broken:
        sys.exit(1)
)py";

// A handler may be async, return a promise, or answer by callback (its third parameter) or by the
// context's done, succeed and fail, as old ones do.
constexpr std::string_view kNodeShim = R"js(
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const [file, exported, name] = process.argv.slice(1);
for (const level of ['log', 'info', 'debug']) console[level] = (...rest) => console.error(...rest);

const failure = (error) => {
    console.error(error instanceof Error ? error.stack : error);
    const type = error instanceof Error ? error.name : 'Error';
    const message = error instanceof Error ? error.message : String(error);
    return { errorType: type, errorMessage: message || type };
};

const contextOf = (request, settle) => {
    const end = Date.now() + request.remainingMs;
    return {
        awsRequestId: request.requestId,
        functionName: name,
        functionVersion: '$LATEST',
        invokedFunctionArn: 'arn:aws:lambda:hatchery:000000000000:function:' + name,
        memoryLimitInMB: '128',
        logGroupName: '/aws/lambda/' + name,
        logStreamName: String(process.pid),
        callbackWaitsForEmptyEventLoop: true,
        getRemainingTimeInMillis: () => Math.max(0, end - Date.now()),
        done: settle,
        succeed: (answer) => settle(null, answer),
        fail: (error) => settle(error || new Error('fail')),
    };
};

const call = (handler, request) => new Promise((resolve, reject) => {
    const settle = (error, answer) => (error ? reject(error) : resolve(answer));
    const returned = handler(request.event, contextOf(request, settle), settle);
    if (returned && typeof returned.then === 'function') returned.then(resolve, reject);
    else if (returned !== undefined) resolve(returned);
    else if (handler.length < 2) resolve(undefined);
});

const load = async () => {
    process.env.AWS_LAMBDA_FUNCTION_NAME ??= name;
    process.env.AWS_LAMBDA_FUNCTION_VERSION ??= '$LATEST';
    process.env.LAMBDA_TASK_ROOT ??= path.dirname(path.resolve(file));
    process.env._HANDLER ??= path.basename(file) + ':' + exported;
    const module = await import(pathToFileURL(path.resolve(file)).href);
    const handler = module[exported] ?? module.default?.[exported];
    if (typeof handler !== 'function') throw new TypeError(`${file} exports no function ${exported}`);
    return handler;
};

const answerOf = async (handler, request) => {
    try {
        const answer = await call(handler, request);
        if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) {
            throw new TypeError('expected the handler to return an object');
        }
        return JSON.parse(JSON.stringify(answer));
    } catch (error) {
        return failure(error);
    }
};

const send = (text) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += fs.writeSync(3, bytes, at);
};

(async () => {
    let handler;
    let broken;
    try {
        handler = await load();
    } catch (error) {
        broken = failure(error);
    }
    let rest = '';
    process.stdin.setEncoding('utf8');
    for await (const chunk of process.stdin) {
        rest += chunk;
        for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
            const request = JSON.parse(rest.slice(0, end));
            rest = rest.slice(end + 1);
            const answer = broken ? { ...broken } : await answerOf(handler, request);
            answer.requestId = request.requestId;
            send(JSON.stringify(answer) + '\n');
            if (broken) process.exit(1);
        }
    }
    process.exit(0);
})();
)js";

struct Runtime {
    std::string_view extension;
    const char* interpreter;
    std::vector<std::string> options;
    std::string_view shim;
};

const Runtime* runtime_of(std::string_view file) {
    static const std::array<Runtime, 4> kRuntimes{{{".py", "python3", {"-u", "-c"}, kPythonShim},
                                                   {".mjs", "node", {"-e"}, kNodeShim},
                                                   {".cjs", "node", {"-e"}, kNodeShim},
                                                   {".js", "node", {"-e"}, kNodeShim}}};
    for (const auto& runtime : kRuntimes) {
        if (file.ends_with(runtime.extension)) return &runtime;
    }
    return nullptr;
}

Error handler_error(std::string message) {
    return fail(Code::InvalidRequest, std::move(message), "handler");
}

}  // namespace

Result<std::unique_ptr<Hook>> make_lambda(const HookConfig& config) {
    const auto colon = config.handler.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == config.handler.size()) {
        return handler_error("expected FILE:FUNCTION, found \"" + config.handler + "\"");
    }
    const std::string file = config.handler.substr(0, colon);
    const std::string function = config.handler.substr(colon + 1);
    const Runtime* runtime = runtime_of(file);
    if (runtime == nullptr) {
        return handler_error("expected a file .py, .mjs, .cjs or .js, found " + file);
    }
    if (access(file.c_str(), R_OK) != 0) return handler_error("can't read " + file);
    if (auto checked = check_workers(config); !checked) return std::move(checked).error();
    Program program{{config.interpreter.empty() ? runtime->interpreter : config.interpreter},
                    config.environment,
                    AnswersOn::Descriptor3};
    program.argv.insert(program.argv.end(), runtime->options.begin(), runtime->options.end());
    program.argv.emplace_back(runtime->shim);
    for (const auto& argument : {file, function, config.name})
        program.argv.push_back(argument);
    return make_worker_pool({config.name,
                             std::move(program),
                             true,
                             workers_of(config, kNormalLambdaWorkers),
                             config.queue});
}

}  // namespace hatchery::hooks
