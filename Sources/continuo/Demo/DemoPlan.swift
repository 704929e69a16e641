import AppGateway
import ContinuoServer
import Foundation
import MessagingCore

/// Somebody of the demo.
struct DemoPerson: Sendable {
    var name: String
    /// The first is the one that is shown.
    var locals: [String]
    var devices: [(name: String, label: String, kind: DeviceKind)]

    static let alice = DemoPerson(
        name: "Alice",
        locals: ["alice", "alice.work"],
        devices: [
            ("alice-mobile", "Alice's mobile", .mobile), ("alice-phone", "Alice's fixed phone", .fixedPhone),
            ("alice-laptop", "Alice's laptop", .computer),
        ]
    )
    static let bob = DemoPerson(
        name: "Bob",
        locals: ["bob"],
        devices: [
            ("bob-mobile", "Bob's mobile", .mobile), ("bob-pda", "Bob's PDA", .pda),
            ("bob-laptop", "Bob's laptop", .computer),
        ]
    )
}

/// One provider of the demo: its server's configuration, and who is there.
struct DemoProvider: Sendable {
    var domain: String
    var people: [DemoPerson]
    var configuration: Configuration

    var url: String { configuration.reachableURL }
    var operatorURL: String { "http://\(configuration.operatorListen)" }
    var addresses: String { people.flatMap(\.locals).map { "\($0)@\(domain)" }.joined(separator: ", ") }
}

/// Which servers there are, where they listen and where they keep what.
struct DemoPlan: Sendable {
    static let password = "demo-password"

    let providers: [DemoProvider]
    /// Where the devices of the command line are kept.
    let devices: String
    let ports: String

    /// - Parameter firstPort: 0 for any that are free.
    init(providers count: Int, root: String, firstPort: Int) throws {
        devices = root + "/continuo/devices"
        // Each provider has a port for devices and one for its operator, and two for others if there are any.
        let needed = count == 1 ? 2 : 8
        let ports = firstPort == 0 ? try FreePorts.take(needed) : Array(firstPort..<firstPort + needed)
        self.ports = firstPort == 0 ? "that were free" : "\(firstPort) to \(firstPort + needed - 1)"
        guard count > 1 else {
            let people = [DemoPerson.alice, .bob]
            providers = [Self.provider("demo.example", people, data: root + "/data", ports[0..<2])]
            return
        }
        var two = [
            Self.provider("a.example", [.alice], data: root + "/a.example", ports[0..<2]),
            Self.provider("b.example", [.bob], data: root + "/b.example", ports[2..<4]),
        ]
        let certificates = try ProviderCertificates(domains: two.map(\.domain), folder: root + "/certificates")
        for (own, other) in [(0, 1), (1, 0)] {
            let domain = two[own].domain
            var peering = Configuration.Peering()
            peering.listen = Configuration.Endpoint(host: "127.0.0.1", port: ports[4 + own])
            peering.messagePort = ports[6 + own]
            peering.certificate = certificates.certificate(domain)
            peering.key = certificates.key(domain)
            peering.authorities = certificates.authorities
            let route = Configuration.Endpoint(host: "127.0.0.1", port: ports[4 + other])
            peering.peers = [Configuration.Peering.Peer(domain: two[other].domain, route: route)]
            two[own].configuration.peering = peering
        }
        providers = two
    }

    private static func provider(
        _ domain: String,
        _ people: [DemoPerson],
        data: String,
        _ ports: ArraySlice<Int>
    ) -> DemoProvider {
        var configuration = Configuration()
        configuration.data = data
        configuration.domains = [domain]
        configuration.listen.port = ports[ports.startIndex]
        configuration.operatorListen.port = ports[ports.startIndex + 1]
        configuration.logLevel = "warning"
        // The password is known to everybody: nothing is kept by making it dear, and a debug build would start much later.
        configuration.passwordCost = 10
        return DemoProvider(domain: domain, people: people, configuration: configuration)
    }

    /// What a provider's demo page shows: the first one's all devices, each from the origin of its own provider.
    func page(of provider: DemoProvider) throws -> WebPages.Demo {
        let isFirst = provider.domain == providers[0].domain
        let shown = isFirst ? providers : [provider]
        let devices = try shown.flatMap { one in
            try one.people.flatMap { person in
                try person.devices.map { device in
                    WebPages.Demo.Device(
                        name: device.name,
                        label: device.label,
                        kind: device.kind,
                        address: try Address("\(person.locals[0])@\(one.domain)"),
                        origin: one.domain == provider.domain ? nil : one.url
                    )
                }
            }
        }
        return WebPages.Demo(
            devices: devices,
            password: Self.password,
            framedBy: isFirst ? nil : providers[0].url
        )
    }
}
