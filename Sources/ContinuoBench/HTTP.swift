import AsyncHTTPClient
import ClientWire
import Foundation
import MessagingCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// The few HTTP calls that set a run up.
struct HTTP: Sendable {
    let base: String
    let token: String?

    static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        configuration.tlsConfiguration = tls
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    static func answers(port: Int, path: String) async -> Bool {
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        let response = try? await client.execute(request, timeout: .seconds(2))
        return response?.status == .ok
    }

    // Not optimised: the compiler (6.3.1) ends early where it splits this, specialised for large documents.
    @_optimize(none)
    func call<Answer: Decodable>(
        _ method: String,
        _ path: String,
        _ body: some Encodable,
        as type: Answer.Type
    ) async throws -> Answer {
        try await ask(method, path, try StrictJSON.encode(body), as: type)
    }

    func get<Answer: Decodable>(_ path: String, as type: Answer.Type) async throws -> Answer {
        try await ask("GET", path, nil, as: type)
    }

    func delete(_ path: String) async throws { _ = try await ask("DELETE", path, nil) }

    private func ask<Answer: Decodable>(
        _ method: String,
        _ path: String,
        _ body: Data?,
        as type: Answer.Type
    ) async throws -> Answer {
        try StrictJSON.decode(type, from: try await ask(method, path, body))
    }

    private func ask(_ method: String, _ path: String, _ body: Data?) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = .init(rawValue: method)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(body)
        }
        let response = try await Self.client.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 16 << 20)
        guard (200..<300).contains(response.status.code) else {
            throw ServerUnderTest.Failure(
                description: "\(method) \(path): \(response.status) \(String(buffer: bytes))"
            )
        }
        return Data(bytes.readableBytesView)
    }
}
