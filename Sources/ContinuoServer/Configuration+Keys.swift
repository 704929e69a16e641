import Yams

/// One key of the file: its place, its meaning, and how it is read. The same table reads a file and writes a new one.
struct ConfigurationKey: Sendable {
    /// Dotted path, such as `client.listen`.
    let path: String
    let explanation: String
    /// What a new file says; empty for a key that is left out (commented).
    let sample: @Sendable (Configuration) -> String
    let isOptional: Bool
    /// Reads the value; throws the mend.
    let read: @Sendable (Node, inout Configuration) throws(Mend) -> Void

    /// What is wrong with a value, and what to write instead.
    struct Mend: Error {
        let problem: String
        let mend: String

        init(_ problem: String, _ mend: String) {
            self.problem = problem
            self.mend = mend
        }
    }

    static let all: [ConfigurationKey] = general + sip + peering + logging

    private static let general: [ConfigurationKey] = [
        ConfigurationKey(
            path: "data",
            explanation: "Folder for the database and the files of messages.",
            sample: { $0.data },
            isOptional: false
        ) { node, configuration throws(Mend) in configuration.data = try text(node) },
        ConfigurationKey(
            path: "domains",
            explanation: "Domains whose addresses are this provider's own.",
            sample: { "[" + $0.domains.joined(separator: ", ") + "]" },
            isOptional: false
        ) { node, configuration throws(Mend) in
            let domains = try texts(node).map { $0.lowercased() }
            guard !domains.isEmpty, domains.allSatisfy(isDomain) else {
                throw Mend("not a list of domains", "write domains: [example.org]")
            }
            configuration.domains = domains
        },
        ConfigurationKey(
            path: "client.listen",
            explanation: "Where devices connect, host:port.",
            sample: { "\($0.listen)" },
            isOptional: false
        ) { node, configuration throws(Mend) in configuration.listen = try endpoint(node) },
        ConfigurationKey(
            path: "client.public-url",
            explanation:
                "What devices call this server, when it is not the address above: behind a proxy, or on all addresses.",
            sample: { $0.publicURL ?? "https://messages.example.org" },
            isOptional: true
        ) { node, configuration throws(Mend) in
            let url = try text(node)
            guard url.hasPrefix("https://") || url.hasPrefix("http://"), !url.hasSuffix("/") else {
                throw Mend("not a URL without a trailing slash", "write public-url: https://messages.example.org")
            }
            configuration.publicURL = url
        },
        ConfigurationKey(
            path: "client.tls.certificate",
            explanation: "PEM file with the certificate chain. Read again when it changes; no restart is needed.",
            sample: { $0.tls?.certificate ?? "/etc/continuo/certificate.pem" },
            isOptional: true
        ) { node, configuration throws(Mend) in
            configuration.tls = Configuration.TLS(certificate: try text(node), key: configuration.tls?.key ?? "")
        },
        ConfigurationKey(
            path: "client.tls.key",
            explanation: "PEM file with its private key.",
            sample: { $0.tls?.key ?? "/etc/continuo/key.pem" },
            isOptional: true
        ) { node, configuration throws(Mend) in
            configuration.tls = Configuration.TLS(
                certificate: configuration.tls?.certificate ?? "",
                key: try text(node)
            )
        },
        ConfigurationKey(
            path: "client.allow-plain",
            explanation: "Serve without TLS on an address that others can reach. Only behind a proxy that ends TLS.",
            sample: { "\($0.allowPlain)" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.allowPlain = try flag(node) },
        ConfigurationKey(
            path: "operator.listen",
            explanation: "Where the operator's interface, health and metrics are; keep it on loopback.",
            sample: { "\($0.operatorListen)" },
            isOptional: false
        ) { node, configuration throws(Mend) in configuration.operatorListen = try endpoint(node) },
        ConfigurationKey(
            path: "operator.hosts",
            explanation: "Further names by which the operator's interface may be called.",
            sample: { "[" + $0.operatorHosts.joined(separator: ", ") + "]" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.operatorHosts = try texts(node) },
        ConfigurationKey(
            path: "passwords.cost",
            explanation: "log2 of scrypt's N: 15 takes 32 MiB and about 70 ms for a login.",
            sample: { "\($0.passwordCost)" },
            isOptional: true
        ) { node, configuration throws(Mend) in
            configuration.passwordCost = try number(node, in: 10...20)
        },
        ConfigurationKey(
            path: "window.items",
            explanation: "Changes sent to a device ahead of its acknowledgement.",
            sample: { "\($0.windowItems)" },
            isOptional: true
        ) { node, configuration throws(Mend) in
            configuration.windowItems = try number(node, in: 1...10000)
        },
        ConfigurationKey(
            path: "window.bytes",
            explanation: "The same in bytes.",
            sample: { "\($0.windowBytes)" },
            isOptional: true
        ) { node, configuration throws(Mend) in
            configuration.windowBytes = try number(node, in: 65536...64 << 20)
        },
        ConfigurationKey(
            path: "links.days",
            explanation: "How long the link of a notification is good.",
            sample: { "\($0.linkDays)" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.linkDays = try number(node, in: 1...365) },
        ConfigurationKey(
            path: "sessions.grace-seconds",
            explanation: "How long somebody may be away from a conversation with all devices before having left it.",
            sample: { "\($0.graceSeconds)" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.graceSeconds = try number(node, in: 5...86400) },
        ConfigurationKey(
            path: "media.stun",
            explanation: "STUN servers by which devices find their own addresses.",
            sample: { $0.stun.isEmpty ? "[stun:relay.example.org]" : "[" + $0.stun.joined(separator: ", ") + "]" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.stun = try uris(node, ["stun:", "stuns:"]) },
        ConfigurationKey(
            path: "media.turn",
            explanation: "TURN servers that carry media between devices with no direct path.",
            sample: { $0.turn.isEmpty ? "[turn:relay.example.org]" : "[" + $0.turn.joined(separator: ", ") + "]" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.turn = try uris(node, ["turn:", "turns:"]) },
        ConfigurationKey(
            path: "media.turn-secret",
            explanation: "What these share with this server for credentials that pass (coturn: static-auth-secret).",
            sample: { _ in "a-long-random-text" },
            isOptional: true
        ) { node, configuration throws(Mend) in configuration.turnSecret = try text(node) },
    ]

    private static let logging: [ConfigurationKey] = [
        ConfigurationKey(
            path: "log.level",
            explanation: "trace, debug, info, notice, warning, error or critical.",
            sample: { $0.logLevel },
            isOptional: true
        ) { node, configuration throws(Mend) in
            let level = try text(node)
            guard levels.contains(level) else {
                throw Mend("'\(level)' is no level", "write one of \(levels.joined(separator: ", "))")
            }
            configuration.logLevel = level
        }
    ]

    static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

    static func text(_ node: Node) throws(Mend) -> String {
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            throw Mend("expected text", "write one value")
        }
        return scalar.string
    }

    static func texts(_ node: Node) throws(Mend) -> [String] {
        guard case .sequence(let sequence) = node else { throw Mend("expected a list", "write [one, two]") }
        var values: [String] = []
        for item in sequence { values.append(try text(item)) }
        return values
    }

    private static func uris(_ node: Node, _ schemes: [String]) throws(Mend) -> [String] {
        let uris = try texts(node)
        guard uris.allSatisfy({ uri in schemes.contains(where: uri.hasPrefix) }) else {
            throw Mend("not a list of such URIs", "write [\(schemes[0])relay.example.org:3478]")
        }
        return uris
    }

    private static func flag(_ node: Node) throws(Mend) -> Bool {
        guard let value = node.bool else { throw Mend("expected true or false", "write true or false") }
        return value
    }

    static func number(_ node: Node, in range: ClosedRange<Int>) throws(Mend) -> Int {
        guard let value = node.int, range.contains(value) else {
            throw Mend(
                "expected a number from \(range.lowerBound) to \(range.upperBound)",
                "write a whole number in that range"
            )
        }
        return value
    }

    static func endpoint(_ node: Node) throws(Mend) -> Configuration.Endpoint {
        guard let endpoint = Configuration.Endpoint(try text(node)) else {
            throw Mend("not an address to listen on", "write host:port, such as 127.0.0.1:8080")
        }
        return endpoint
    }

    static func isDomain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253 && !text.hasPrefix("-") && !text.hasPrefix(".")
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == ".") }
    }
}
