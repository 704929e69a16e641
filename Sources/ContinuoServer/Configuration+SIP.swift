import MessagingService
public import SIP
import SIPGateway
import Yams

extension Configuration {
    /// Where SIP phones come in; nothing is served unless some address is given.
    public struct SIPPhones: Sendable, Equatable {
        /// One address to listen on.
        public struct Door: Sendable, Equatable {
            public var listen: Endpoint?
            /// The digest algorithms offered, strongest first.
            public var algorithms: [DigestAlgorithm] = [.sha256]
        }

        /// By transport: udp, tcp, tls, ws, wss.
        public var doors: [SIPTransportKind: Door] = [:]
        /// The realm; the first domain unless given.
        public var realm: String?
        /// The name that phones are told to connect to, in their settings and in what is said to them; the addresses
        /// themselves unless given.
        public var publicHost: String?
        public var tls: TLS?
        public var leaseSeconds = 600
        public var phones = 50_000
        /// Where rtpengine takes its orders, for calls between phones and browsers, also of other providers.
        public var relay: Endpoint?
        /// Where phones bring the texts of live conversations, in the clear and over TLS.
        public var texts: Endpoint?
        public var secureTexts: Endpoint?

        /// Whether there is a door.
        public var isServed: Bool { doors.values.contains { $0.listen != nil } }

        /// Where phones come in, for people.
        var listening: String {
            let doors = doors.compactMap { kind, door in
                door.listen.map { "\(kind.rawValue.lowercased()).listen \($0)" }
            }
            let texts = [("msrp", texts), ("msrps", secureTexts)].compactMap { name, place in
                place.map { "\(name) \($0)" }
            }
            return (doors.sorted() + texts).joined(separator: ", ")
        }
    }

    /// The certificate of the SIP doors: their own, or that of the client's door.
    var sipTLS: TLS? { sip.tls ?? tls }

    /// What the gateway is told; nil when nothing is served.
    var sipGateway: SIPGatewayConfiguration? {
        guard sip.isServed else { return nil }
        var limits = SIPGatewayLimits()
        limits.leaseMaximumSeconds = UInt32(sip.leaseSeconds)
        limits.leaseMinimumSeconds = min(limits.leaseMinimumSeconds, limits.leaseMaximumSeconds)
        limits.phones = sip.phones
        let doors = SIPTransportKind.allCases.compactMap { kind -> SIPGatewayConfiguration.Door? in
            guard let door = sip.doors[kind], let listen = door.listen else { return nil }
            return SIPGatewayConfiguration.Door(
                kind,
                host: listen.host,
                port: listen.port,
                algorithms: door.algorithms
            )
        }
        var gateway = SIPGatewayConfiguration(
            doors: doors,
            realm: sipRealm,
            certificate: sipTLS.map { SIPGatewayConfiguration.Certificate(chain: $0.certificate, key: $0.key) },
            limits: limits
        )
        gateway.publicHost = sip.publicHost
        gateway.relay = sip.relay.map { ($0.host, $0.port) }
        gateway.texts = sip.texts.map { ($0.host, $0.port) }
        gateway.secureTexts = sip.secureTexts.map { ($0.host, $0.port) }
        return gateway
    }

    private var sipRealm: String { sip.realm ?? domains.first ?? "localhost" }

    /// What the service needs for making the credentials of phones.
    var sipAccess: SIPAccess? {
        guard let gateway = sipGateway else { return nil }
        return SIPAccess(
            realm: gateway.realm,
            servers: gateway.doors.map { door in
                let place = Endpoint(host: sip.publicHost ?? door.host, port: door.port)
                return "\(place);transport=\(door.transport.rawValue.lowercased())"
            },
            allowsMD5: gateway.doors.contains { $0.algorithms.contains(.md5) }
        )
    }

    /// What is wrong with the SIP keys together.
    func sipInconsistencies() -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        for kind in SIPTransportKind.allCases where sip.doors[kind]?.listen != nil {
            let key = "sip.\(kind.rawValue.lowercased()).listen"
            if kind.isSecure, sipTLS == nil {
                problems.append(
                    ConfigurationProblem(
                        key: key,
                        line: nil,
                        problem: "no certificate for it",
                        mend: "give sip.certificate and sip.key, or client.tls"
                    )
                )
            }
        }
        if let tls = sip.tls, tls.certificate.isEmpty || tls.key.isEmpty {
            problems.append(
                ConfigurationProblem(
                    key: "sip.certificate",
                    line: nil,
                    problem: "a certificate needs its key, and a key its certificate",
                    mend: "give both sip.certificate and sip.key"
                )
            )
        }
        var phones = sip
        // Calls with telephones of other providers go by the same relay.
        if peering.listen != nil { phones.relay = nil }
        if !sip.isServed, phones != SIPPhones() {
            problems.append(
                ConfigurationProblem(
                    key: "sip",
                    line: nil,
                    problem: "phones have nowhere to connect: nothing that is said of them has an effect",
                    mend: "give sip.udp.listen, or that of tcp, tls, ws or wss; or leave out all of sip"
                )
            )
        }
        return problems
    }
}

extension ConfigurationKey {
    /// The keys of SIP access.
    static let sip: [ConfigurationKey] =
        [
            ConfigurationKey(
                path: "sip.realm",
                explanation: "Realm of the phones' passwords. Another realm makes all of them invalid.",
                sample: { $0.sip.realm ?? $0.domains.first ?? "example.org" },
                isOptional: true
            ) { node, configuration throws(Mend) in configuration.sip.realm = try text(node) },
            ConfigurationKey(
                path: "sip.public-host",
                explanation: "The name or address of this host for phones; the one that they reached unless given.",
                sample: { $0.sip.publicHost ?? "sip.example.org" },
                isOptional: true
            ) { node, configuration throws(Mend) in configuration.sip.publicHost = try text(node) },
            ConfigurationKey(
                path: "sip.certificate",
                explanation: "PEM file with the certificate chain for tls and wss; that of client.tls if left out.",
                sample: { $0.sip.tls?.certificate ?? "/etc/continuo/sip.pem" },
                isOptional: true
            ) { node, configuration throws(Mend) in
                configuration.sip.tls = Configuration.TLS(
                    certificate: try text(node),
                    key: configuration.sip.tls?.key ?? ""
                )
            },
            ConfigurationKey(
                path: "sip.key",
                explanation: "PEM file with its private key.",
                sample: { $0.sip.tls?.key ?? "/etc/continuo/sip-key.pem" },
                isOptional: true
            ) { node, configuration throws(Mend) in
                configuration.sip.tls = Configuration.TLS(
                    certificate: configuration.sip.tls?.certificate ?? "",
                    key: try text(node)
                )
            },
            ConfigurationKey(
                path: "sip.lease-seconds",
                explanation: "The longest registration: after a restart every phone is heard of within this time.",
                sample: { "\($0.sip.leaseSeconds)" },
                isOptional: true
            ) { node, configuration throws(Mend) in
                configuration.sip.leaseSeconds = try number(node, in: 10...86400)
            },
            ConfigurationKey(
                path: "sip.rtpengine",
                explanation:
                    "Control port (ng, UDP) of an rtpengine that carries calls between phones and browsers, here and elsewhere.",
                sample: { "\($0.sip.relay ?? .init(host: "127.0.0.1", port: 2223))" },
                isOptional: true
            ) { node, configuration throws(Mend) in configuration.sip.relay = try endpoint(node) },
            ConfigurationKey(
                path: "sip.msrp",
                explanation: "Address for the texts of live conversations of phones that take them over MSRP.",
                sample: { "\($0.sip.texts ?? .init(host: "127.0.0.1", port: 2855))" },
                isOptional: true
            ) { node, configuration throws(Mend) in configuration.sip.texts = try endpoint(node) },
            ConfigurationKey(
                path: "sip.msrps",
                explanation: "The same over TLS, for phones that registered over tls or wss.",
                sample: { "\($0.sip.secureTexts ?? .init(host: "127.0.0.1", port: 2856))" },
                isOptional: true
            ) { node, configuration throws(Mend) in configuration.sip.secureTexts = try endpoint(node) },
            ConfigurationKey(
                path: "sip.phones",
                explanation: "Phones that may be registered at one time.",
                sample: { "\($0.sip.phones)" },
                isOptional: true
            ) { node, configuration throws(Mend) in
                configuration.sip.phones = try number(node, in: 1...1_000_000)
            },
        ] + SIPTransportKind.allCases.flatMap(door)

    /// The two keys of one transport.
    private static func door(_ kind: SIPTransportKind) -> [ConfigurationKey] {
        let name = kind.rawValue.lowercased()
        return [
            ConfigurationKey(
                path: "sip.\(name).listen",
                explanation: "Where SIP phones connect over \(kind.rawValue), host:port.",
                sample: { "\($0.sip.doors[kind]?.listen ?? .init(host: "127.0.0.1", port: usualPort(kind)))" },
                isOptional: true
            ) { node, configuration throws(Mend) in
                configuration.sip.doors[kind, default: .init()].listen = try endpoint(node)
            },
            ConfigurationKey(
                path: "sip.\(name).digest",
                explanation: "Password checks offered there; some phones know MD5 only, some fail when offered two.",
                sample: { configuration in
                    let algorithms = configuration.sip.doors[kind]?.algorithms ?? [.sha256]
                    return "[" + algorithms.map(\.rawValue).joined(separator: ", ") + "]"
                },
                isOptional: true
            ) { node, configuration throws(Mend) in
                let algorithms = try texts(node).map { DigestAlgorithm(name: $0) }
                let known = algorithms.compactMap(\.self)
                guard !known.isEmpty, known.count == algorithms.count,
                    known.allSatisfy({ $0 == .sha256 || $0 == .md5 }), Set(known).count == known.count
                else { throw Mend("not a list of SHA-256 and MD5", "write [SHA-256], [MD5] or [SHA-256, MD5]") }
                configuration.sip.doors[kind, default: .init()].algorithms = known
            },
        ]
    }

    private static func usualPort(_ kind: SIPTransportKind) -> Int {
        switch kind {
        case .ws: 5066
        case .wss: 5067
        default: Int(kind.defaultPort)
        }
    }
}
