import AsyncHTTPClient
import ClientWire
import FoundationEssentials
import MessagingCore
import NIOCore
import NIOHTTP1
import NIOSSL

/// How a client reaches its server.
public struct ServerAddress: Sendable, Hashable, Codable {
    /// `http://` or `https://`, host and port, without a trailing slash.
    public var url: String
    /// A PEM file of authorities to trust beside the system's; for a server with a certificate of its own making.
    public var authorities: String?

    /// An address.
    public init(url: String, authorities: String? = nil) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.authorities = authorities
    }

    var isSecure: Bool { url.lowercased().hasPrefix("https://") }

    func tlsConfiguration() throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        guard let authorities else { return configuration }
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(authorities)
            configuration.additionalTrustRoots = [.certificates(certificates)]
        } catch {
            throw ClientError.storage("\(authorities) is no PEM file of certificates")
        }
        return configuration
    }
}

/// Makes HTTP calls and turns what goes wrong into ``ClientError``.
final class HTTPCaller: Sendable {
    static let answerBytes = 32 << 20
    static let timeout = TimeAmount.seconds(60)
    static let connectTimeout = TimeAmount.seconds(10)

    let server: ServerAddress
    let token: String?
    private let http: HTTPClient

    init(_ server: ServerAddress, token: String?) throws {
        self.server = server
        self.token = token
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try server.tlsConfiguration()
        configuration.timeout.connect = Self.connectTimeout
        // The deadline of a call ends with the head of its answer: a body that goes silent is a connection that broke.
        configuration.timeout.read = Self.timeout
        // A server that is down, or whose certificate is wrong, is told at once; who wants to wait repeats the call.
        configuration.connectionPool.retryConnectionEstablishment = false
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit { http.shutdown { _ in } }

    func get<Answer: Decodable>(_ path: String, as type: Answer.Type) async throws -> Answer {
        try decode(type, try await bytes(.GET, path, nil))
    }

    func send<Answer: Decodable>(
        _ method: HTTPMethod,
        _ path: String,
        _ body: some Encodable & Sendable,
        as type: Answer.Type
    ) async throws -> Answer {
        try decode(type, try await bytes(method, path, try StrictJSON.encode(body)))
    }

    func call(_ method: HTTPMethod, _ path: String, _ body: Data? = nil) async throws {
        _ = try await bytes(method, path, body)
    }

    private func bytes(_ method: HTTPMethod, _ path: String, _ body: Data?) async throws -> ByteBuffer {
        var fields: HTTPHeaders = [:]
        if body != nil { fields.add(name: "Content-Type", value: "application/json") }
        let response = try await start(method, path, fields, body.map { .bytes(ByteBuffer(bytes: $0)) })
        do {
            return try await response.body.collect(upTo: Self.answerBytes)
        } catch {
            throw ClientError.unreachable("the answer broke off")
        }
    }

    /// Makes a call and returns its answer once the head is there.
    /// - Throws: ``ClientError``; a refusal's body has been read then.
    func start(
        _ method: HTTPMethod,
        _ path: String,
        _ fields: HTTPHeaders,
        _ body: HTTPClientRequest.Body?
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: server.url + path)
        request.method = method
        request.headers = fields
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        request.body = body
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, timeout: Self.timeout)
        } catch is CancellationError {
            throw CancellationError()
        } catch let error as HTTPClientError where error == .invalidURL || error == .emptyScheme {
            throw ClientError.unexpected("\(server.url) is no address of a server")
        } catch is NIOSSLError {
            throw ClientError.unreachable("the certificate of \(server.url) is not trusted")
        } catch {
            throw ClientError.unreachable("no server answers at \(server.url)")
        }
        guard (200..<300).contains(response.status.code) else {
            let answer = try? await response.body.collect(upTo: Self.answerBytes)
            let problem = answer.flatMap { try? StrictJSON.decode(Problem.self, from: Data($0.readableBytesView)) }
            guard let problem else { throw Self.error(response.status) }
            throw ClientError.refused(problem)
        }
        return response
    }

    /// An answer that is not our server's: a proxy in front of it may say that it cannot reach it, or that it is busy.
    private static func error(_ status: HTTPResponseStatus) -> ClientError {
        status.code >= 500 || status == .requestTimeout || status == .tooManyRequests
            ? .unreachable("the server is out of reach (\(status))") : .unexpected("\(status)")
    }

    private func decode<Answer: Decodable>(_ type: Answer.Type, _ buffer: ByteBuffer) throws -> Answer {
        do {
            return try StrictJSON.decode(type, from: Data(buffer.readableBytesView))
        } catch {
            throw ClientError.unexpected(error.detail)
        }
    }
}

/// A path segment, with everything else than unreserved characters escaped (RFC 3986, section 2.3).
func escaped(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
        let character = Character(Unicode.Scalar(byte))
        if character.isASCII, character.isLetter || character.isNumber || "-._~@".contains(character) {
            result.append(character)
        } else {
            let digits = String(byte, radix: 16, uppercase: true)
            result += "%" + (digits.count == 1 ? "0" : "") + digits
        }
    }
    return result
}
