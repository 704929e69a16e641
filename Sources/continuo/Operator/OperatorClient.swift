import ArgumentParser
import AsyncHTTPClient
import ClientWire
import ContinuoServer
import Foundation
import MessagingCore
import NIOCore
import NIOHTTP1

/// How the operator's commands find the server: the same configuration, or address and token.
struct OperatorOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server's configuration; its listener and data folder are used.", valueName: "file"))
    var config: String?
    @Option(help: ArgumentHelp("The server's data folder, when there is no configuration.", valueName: "folder"))
    var data: String?
    @Option(help: ArgumentHelp("Where the operator's interface is.", valueName: "url"))
    var url: String?
    @Option(help: ArgumentHelp("A file with the operator's token.", valueName: "file"))
    var tokenFile: String?
    @Flag(help: "Print JSON, one object a line.")
    var json = false

    func configuration() throws -> Configuration {
        var configuration = try readConfiguration(config)
        if let data { configuration.data = data }
        return configuration
    }

    func client() throws -> OperatorClient {
        let configuration = try configuration()
        let file = tokenFile ?? configuration.data + "/operator-token"
        guard let token = DataFolder.readToken(file) else {
            throw CommandFailure.misused(
                """
                no operator token at \(file)
                    give --config or --data of the server (it makes the token when it starts), or --token-file
                """
            )
        }
        return OperatorClient(base: url ?? "http://\(configuration.operatorListen)", token: token)
    }
}

/// The configuration that a command uses when none is named: the one in the working folder, if there is one.
func configurationPath(_ path: String?) -> String? {
    path ?? (FileManager.default.fileExists(atPath: "continuo.yaml") ? "continuo.yaml" : nil)
}

/// Reads a configuration, or the one in the working folder, or the defaults.
func readConfiguration(_ path: String?) throws -> Configuration {
    guard let path = configurationPath(path) else { return Configuration() }
    do {
        return try Configuration(file: path)
    } catch {
        throw CommandFailure.misused("\(error)")
    }
}

/// Calls the operator's interface.
struct OperatorClient: Sendable {
    static let answerBytes = 16 << 20
    static let timeout = TimeAmount.minutes(30)
    /// Without a limit on silence: a backup says nothing until it is complete.
    private static let http = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: HTTPClient.Configuration(timeout: HTTPClient.Configuration.Timeout(connect: .seconds(10)))
    )

    let base: String
    let token: String

    // Not inlined, nor is the next one: specialised into a command's `run` it crashes the optimiser of Swift 6.3.1.
    @inline(never)
    func get<Answer: Decodable>(_ path: String, as type: Answer.Type) async throws -> Answer {
        try StrictJSON.decode(type, from: try await call(.GET, path, nil))
    }

    @inline(never)
    func send<Answer: Decodable>(
        _ method: HTTPMethod,
        _ path: String,
        _ body: some Encodable & Sendable,
        as type: Answer.Type
    ) async throws -> Answer {
        try StrictJSON.decode(type, from: try await call(method, path, Data(try StrictJSON.encode(body))))
    }

    /// Makes one call and returns the body of its answer.
    /// - Throws: ``CommandFailure``, refused or unreachable.
    @discardableResult
    func call(_ method: HTTPMethod, _ path: String, _ body: Data?) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response: HTTPClientResponse
        let answer: ByteBuffer
        do {
            response = try await Self.http.execute(request, timeout: Self.timeout)
            answer = try await response.body.collect(upTo: Self.answerBytes)
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            throw CommandFailure.unreachable(
                """
                the server at \(base) has not answered for \(Self.timeout.nanoseconds / 60_000_000_000) minutes
                    it may still be at it: look at its log
                """
            )
        } catch {
            throw CommandFailure.unreachable(
                """
                no server answers at \(base)
                    start it with 'continuo serve', or give --url
                """
            )
        }
        let bytes = Data(answer.readableBytesView)
        guard (200..<300).contains(response.status.code) else {
            let problem = try? StrictJSON.decode(Problem.self, from: bytes)
            throw CommandFailure.refused(
                problem.map { "\($0.code.rawValue): \($0.detail)" } ?? "\(response.status)"
            )
        }
        return bytes
    }
}

/// A path segment, escaped.
func segment(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~@"))) ?? ""
}

/// Prints a document as one line of JSON.
func printJSON(_ document: some Encodable & Sendable) throws {
    print(String(decoding: try StrictJSON.encode(document), as: UTF8.self))
}

/// Lines up columns; the first row is the head.
func printTable(_ rows: [[String]]) {
    guard let head = rows.first else { return }
    let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
        let cells = row.enumerated().map { column, text in
            column == row.count - 1 ? text : text.padding(toLength: widths[column], withPad: " ", startingAt: 0)
        }
        print(cells.joined(separator: "  "))
    }
}

/// A password from a file, the environment or the terminal, never from the arguments.
struct PasswordOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A file with the password.", valueName: "file"))
    var passwordFile: String?

    /// - Throws: ``CommandFailure`` when there is no password to be had.
    func password(prompt: String) throws -> String {
        if let passwordFile {
            guard let data = FileManager.default.contents(atPath: passwordFile) else {
                throw CommandFailure.misused("\(passwordFile) cannot be read")
            }
            return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
        }
        if let password = ProcessInfo.processInfo.environment["CONTINUO_PASSWORD"] { return password }
        guard isatty(STDIN_FILENO) == 1, let line = getpass(prompt) else {
            throw CommandFailure.misused("no password: give --password-file, or set CONTINUO_PASSWORD")
        }
        return String(cString: line)
    }
}
