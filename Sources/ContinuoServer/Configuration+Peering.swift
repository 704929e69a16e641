import FoundationEssentials
import Interconnect
import Yams

extension ConfigurationKey {
    /// Keys about other providers.
    static let peering: [ConfigurationKey] = [
        ConfigurationKey(
            path: "interconnect.listen",
            explanation: "Where other providers connect by SIP over TLS, host:port. Without it there are no others.",
            sample: { "\($0.peering.listen ?? Configuration.Endpoint(host: "0.0.0.0", port: 5061))" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.listen = try endpoint(node) },
        ConfigurationKey(
            path: "interconnect.name",
            explanation: "The name by which others reach this host; the first domain unless it is given.",
            sample: { $0.peering.name ?? "sip.example.org" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.name = try text(node) },
        ConfigurationKey(
            path: "interconnect.certificate",
            explanation: "PEM file with the certificate chain shown to other providers; it is for the domain.",
            sample: { $0.peering.certificate.isEmpty ? "/etc/continuo/domain.pem" : $0.peering.certificate },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.certificate = try text(node) },
        ConfigurationKey(
            path: "interconnect.key",
            explanation: "PEM file with its private key.",
            sample: { $0.peering.key.isEmpty ? "/etc/continuo/domain-key.pem" : $0.peering.key },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.key = try text(node) },
        ConfigurationKey(
            path: "interconnect.authorities",
            explanation: "PEM file with the authorities that certificates of other providers have to come from.",
            sample: { $0.peering.authorities.isEmpty ? "/etc/continuo/authorities.pem" : $0.peering.authorities },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.authorities = try text(node) },
        ConfigurationKey(
            path: "interconnect.message-port",
            explanation: "The port for large messages (MSRP over TLS).",
            sample: { "\($0.peering.messagePort)" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.messagePort = try number(node, in: 0...65535) },
        ConfigurationKey(
            path: "interconnect.message-host",
            explanation: "The host that others are told for it, when it is not the address they reached by SIP.",
            sample: { $0.peering.messageHost ?? "messages.example.org" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.messageHost = try text(node) },
        ConfigurationKey(
            path: "interconnect.name-servers",
            explanation: "Name servers to ask for peers without a route; those of the system unless given.",
            sample: { "[" + $0.peering.nameServers.joined(separator: ", ") + "]" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.nameServers = try texts(node) },
        ConfigurationKey(
            path: "interconnect.peers",
            explanation:
                "Providers to exchange messages with: domain, and route or names where they are not found by it; files: msrp, "
                + "transfer (each in a call of its own), or link, with link-from: BYTES.",
            sample: { configuration in
                let peers =
                    configuration.peering.peers.isEmpty
                    ? [Configuration.Peering.Peer(domain: "example.net")] : configuration.peering.peers
                return "[" + peers.map(\.sample).joined(separator: ", ") + "]"
            },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.peering.peers = try peers(node) },
    ]

    private static func peers(_ node: Node) throws(Mend) -> [Configuration.Peering.Peer] {
        let wanted = "write [{domain: example.net, route: 'sip.example.net:5061'}]"
        guard case .sequence(let sequence) = node else { throw Mend("expected a list of providers", wanted) }
        var peers: [Configuration.Peering.Peer] = []
        for item in sequence {
            guard case .mapping(let mapping) = item, let domainNode = mapping["domain"],
                case let domain = try text(domainNode).lowercased(), isDomain(domain)
            else { throw Mend("a provider without its domain", wanted) }
            var peer = Configuration.Peering.Peer(domain: domain)
            var from: Int64 = 0
            for (key, value) in mapping {
                switch key.string {
                case "domain": break
                case "names": peer.names = try texts(value).map { $0.lowercased() }
                case "route": peer.route = try endpoint(value)
                case "files":
                    switch try text(value) {
                    case "link": peer.files = .links(from: 0)
                    case "msrp": peer.files = .messages
                    case "transfer": peer.files = .transfers
                    default:
                        throw Mend(
                            "files go over msrp, by transfer, or as a link",
                            "write files: msrp, files: transfer or files: link"
                        )
                    }
                case "link-from": from = Int64(try number(value, in: 0...Int(Int32.max)))
                default: throw Mend("'\(key.string ?? "?")' is nothing that a provider has", wanted)
                }
            }
            if case .links = peer.files { peer.files = .links(from: from) }
            guard !peers.contains(where: { $0.domain == domain }) else {
                throw Mend("\(domain) stands there twice", "leave one of the two")
            }
            peers.append(peer)
        }
        return peers
    }
}

extension Configuration.Peering.Peer {
    fileprivate var sample: String {
        var text = "{domain: \(domain)"
        if let route { text += ", route: '\(route)'" }
        switch files {
        case .messages: break
        case .links(let from): text += ", files: link, link-from: \(from)"
        case .transfers: text += ", files: transfer"
        }
        if !names.isEmpty { text += ", names: [\(names.joined(separator: ", "))]" }
        return text + "}"
    }
}

extension Configuration {
    /// What single keys about other providers cannot tell.
    func peeringProblems() -> [ConfigurationProblem] {
        guard let listen = peering.listen else {
            guard peering != Peering() else { return [] }
            return [
                ConfigurationProblem(
                    key: "interconnect.listen",
                    line: nil,
                    problem: "missing: nothing else that is said of other providers has an effect without it",
                    mend: "give an address for them, or leave out all of interconnect"
                )
            ]
        }
        var problems: [ConfigurationProblem] = []
        let files = [
            ("interconnect.certificate", peering.certificate), ("interconnect.key", peering.key),
            ("interconnect.authorities", peering.authorities),
        ]
        for (key, path) in files {
            if path.isEmpty {
                problems.append(
                    ConfigurationProblem(
                        key: key,
                        line: nil,
                        problem: "missing: providers know each other by certificates",
                        mend: "give the path of a PEM file, or leave out interconnect.listen"
                    )
                )
            } else if !FileManager.default.isReadableFile(atPath: path) {
                problems.append(
                    ConfigurationProblem(
                        key: key,
                        line: nil,
                        problem: "\(path) cannot be read",
                        mend: "check path and rights"
                    )
                )
            }
        }
        if peering.peers.contains(where: { if case .links = $0.files { true } else { false } }),
            !reachableURL.hasPrefix("https://")
        {
            problems.append(
                ConfigurationProblem(
                    key: "interconnect.peers",
                    line: nil,
                    problem: "files as links need a server that is reached by HTTPS, not by \(reachableURL)",
                    mend: "set client.tls, or a client.public-url with https://"
                )
            )
        }
        for peer in peering.peers where domains.contains(peer.domain) {
            problems.append(
                ConfigurationProblem(
                    key: "interconnect.peers",
                    line: nil,
                    problem: "\(peer.domain) is a domain of this provider",
                    mend: "leave it out"
                )
            )
        }
        for other in [self.listen, operatorListen] where other == listen && listen.port != 0 {
            problems.append(
                ConfigurationProblem(
                    key: "interconnect.listen",
                    line: nil,
                    problem: "\(listen) is taken by another listener",
                    mend: "give other providers a port of their own"
                )
            )
        }
        return problems
    }

    /// The ways to other providers; nil when there are to be none.
    var interconnect: InterconnectConfiguration? {
        guard let listen = peering.listen else { return nil }
        var interconnect = InterconnectConfiguration(
            domains: domains,
            host: listen.host,
            port: listen.port,
            messagePort: peering.messagePort,
            messageHost: peering.messageHost,
            name: peering.name ?? "",
            certificate: peering.certificate,
            key: peering.key,
            authorities: peering.authorities,
            peers: peering.peers.map { peer in
                Peer(
                    domain: peer.domain,
                    names: Set(peer.names),
                    route: peer.route.map { Peer.Route(host: $0.host, port: $0.port) },
                    files: peer.files
                )
            },
            nameServers: peering.nameServers
        )
        interconnect.relay = sip.relay.map { ($0.host, $0.port) }
        return interconnect
    }
}
