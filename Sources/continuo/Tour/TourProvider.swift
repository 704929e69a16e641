import ClientWire
import ContinuoServer
import Foundation
import MessagingCore
import NIOHTTP1

/// One of the two providers: an ordinary server, a process of its own, with a configuration that the tour has written.
final class TourProvider: @unchecked Sendable {
    static let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""

    /// The ports of a provider.
    struct Ports: Sendable {
        var client: Int
        var operators: Int
        var peers: Int
        var messages: Int
        var sip: Int

        init(_ all: ArraySlice<Int>) {
            let all = Array(all)
            (client, operators, peers, messages, sip) = (all[0], all[1], all[2], all[3], all[4])
        }
    }

    let domain: String
    let ports: Ports
    private let configuration: String
    private let data: String
    let log: String
    private var process: Companion?

    var url: String { "http://127.0.0.1:\(ports.client)" }

    init(
        _ domain: String,
        _ ports: Ports,
        other: String,
        at otherPorts: Ports,
        _ certificates: ProviderCertificates,
        folder: String
    ) throws {
        self.domain = domain
        self.ports = ports
        data = "\(folder)/\(domain)"
        configuration = "\(folder)/\(domain).yaml"
        log = "\(folder)/\(domain).log"
        let yaml = """
            data: \(data)
            domains: [\(domain)]
            client:
              listen: 127.0.0.1:\(ports.client)
            operator:
              listen: 127.0.0.1:\(ports.operators)
            interconnect:
              listen: 127.0.0.1:\(ports.peers)
              message-port: \(ports.messages)
              certificate: \(certificates.certificate(domain))
              key: \(certificates.key(domain))
              authorities: \(certificates.authorities)
              peers: [{domain: \(other), route: '127.0.0.1:\(otherPorts.peers)'}]
            sip:
              lease-seconds: 10
              udp:
                listen: 127.0.0.1:\(ports.sip)
                digest: [MD5]
            passwords:
              cost: 10
            log:
              level: notice

            """
        try yaml.write(toFile: configuration, atomically: true, encoding: .utf8)
    }

    /// Starts the server, and waits until it answers.
    func start() async throws {
        let process = try Companion(Self.program, ["serve", "--config", configuration], output: log)
        self.process = process
        _ = try await eventually("the server of \(domain) begins") {
            guard process.isRunning else {
                throw TourFailure("the server of \(domain) ended: \(process.text.suffix(400))")
            }
            return try? await client().get("/operator/status", as: JSONValue.self)
        }
    }

    /// Ends it as a power cut would.
    func stop() {
        process?.end()
        process = nil
    }

    /// The operator's interface.
    func client() throws -> OperatorClient {
        guard let token = DataFolder.readToken(data + "/operator-token") else {
            throw TourFailure("the server of \(domain) has no operator")
        }
        return OperatorClient(base: "http://127.0.0.1:\(ports.operators)", token: token)
    }

    func account(_ name: String, _ addresses: [String], balance: Int64, password: String) async throws {
        let request = AccountRequest(
            name: name,
            addresses: try addresses.map { try Address($0) },
            password: password,
            balance: balance
        )
        _ = try await client().send(.POST, "/operator/accounts", request, as: AccountDocument.self)
    }

    /// What a text, a request and a medium cost here.
    func put(tariff: Tariff) async throws {
        var settings = try await client().get("/operator/settings", as: OperatorSettings.self)
        settings.tariff = tariff
        _ = try await client().send(.PUT, "/operator/settings", settings, as: OperatorSettings.self)
    }
}
