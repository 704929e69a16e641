import ByteGrammar
public import NIOCore
public import SIP

/// A place to send a request to.
public struct Destination: Sendable, Hashable, CustomStringConvertible {
    /// The transport.
    public var transport: SIPTransportKind
    /// The address.
    public var address: SocketAddress
    /// The host name that the certificate of a TLS peer must be for; nil when only an address was given.
    public var serverName: String?

    /// Makes a destination.
    public init(transport: SIPTransportKind, address: SocketAddress, serverName: String? = nil) {
        self.transport = transport
        self.address = address
        self.serverName = serverName
    }

    /// Transport and address.
    public var description: String { "\(self.transport.rawValue) \(self.address)" }
}

/// Finds the places that a URI stands for (RFC 3263).
public protocol Resolver: Sendable {
    /// Finds the destinations of a SIP URI, best first.
    ///
    /// - Parameter supported: The transports that can be used, preferred ones first.
    /// - Returns: A future that fails with a ``DNSError`` when there is none.
    func resolve(
        _ uri: SIPURI,
        supported: [SIPTransportKind],
        on loop: any EventLoop
    ) -> EventLoopFuture<[Destination]>
}

/// Resolution with DNS: NAPTR, then SRV, then addresses (RFC 3263 section 4).
public struct DNSResolver: Resolver {
    private let client: DNSClient

    /// How many destinations one URI may have.
    public static let maximumDestinations = 16

    /// Makes a resolver.
    public init(client: DNSClient) { self.client = client }

    /// A host, a port and a transport of which only the addresses are missing.
    private struct Service: Sendable {
        var transport: SIPTransportKind
        var host: String
        var port: UInt16
        var priority: UInt16 = 0
        var weight: UInt16 = 0
    }

    /// Finds the destinations of a SIP URI, best first.
    public func resolve(
        _ uri: SIPURI,
        supported: [SIPTransportKind],
        on loop: any EventLoop
    ) -> EventLoopFuture<[Destination]> {
        let host = Host.unbracketed(uri.parameters["maddr"] ?? uri.host)
        let chosen = uri.transport.flatMap { SIPTransportKind(token: $0) }.map { Self.secured($0, uri.isSecure) }
        let usable = supported.filter { !uri.isSecure || $0.isSecure }
        if uri.parameters.contains("transport"), chosen == nil {
            return loop.makeFailedFuture(DNSError(.notFound, "an unknown transport"))
        }
        if let chosen, !usable.contains(chosen) {
            return loop.makeFailedFuture(DNSError(.notFound, "a transport that is not supported"))
        }
        let fallback = chosen ?? Self.preferred(uri, usable)
        guard let fallback else { return loop.makeFailedFuture(DNSError(.notFound, "no usable transport")) }
        if let address = try? SocketAddress(ipAddress: host, port: Int(uri.port ?? fallback.defaultPort)) {
            return loop.makeSucceededFuture([Destination(transport: fallback, address: address)])
        }
        if let port = uri.port {
            return self.addresses([Service(transport: fallback, host: host, port: port)], name: host, on: loop)
        }
        let found = chosen.map { self.services($0, host, on: loop) } ?? self.rules(host, usable, on: loop)
        return found.flatMap { services in
            let plain = [Service(transport: fallback, host: host, port: fallback.defaultPort)]
            return self.addresses(services.isEmpty ? plain : services, name: host, on: loop)
        }
    }

    private static func secured(_ kind: SIPTransportKind, _ isSecure: Bool) -> SIPTransportKind {
        switch kind {
        case .tcp where isSecure: .tls
        case .ws where isSecure: .wss
        default: kind
        }
    }

    private static func preferred(_ uri: SIPURI, _ usable: [SIPTransportKind]) -> SIPTransportKind? {
        let wanted: SIPTransportKind = uri.isSecure ? .tls : .udp
        return usable.contains(wanted) ? wanted : usable.first
    }

    /// SRV of one transport.
    private func services(
        _ kind: SIPTransportKind,
        _ host: String,
        on loop: any EventLoop
    ) -> EventLoopFuture<[Service]> {
        guard let prefix = Self.prefix(kind) else { return loop.makeSucceededFuture([]) }
        return self.query("\(prefix).\(host)", .srv, on: loop).map { Self.services($0, kind) }
    }

    private static func prefix(_ kind: SIPTransportKind) -> String? {
        switch kind {
        case .udp: "_sip._udp"
        case .tcp: "_sip._tcp"
        case .tls: "_sips._tcp"
        case .ws: "_sip._ws"
        case .wss: "_sips._ws"
        }
    }

    private static func kind(service: String) -> SIPTransportKind? {
        switch service {
        case "sip+d2u": .udp
        case "sip+d2t": .tcp
        case "sips+d2t": .tls
        case "sip+d2w": .ws
        case "sips+d2w": .wss
        default: nil
        }
    }

    /// NAPTR; without any, SRV of every transport that can be used.
    private func rules(
        _ host: String,
        _ usable: [SIPTransportKind],
        on loop: any EventLoop
    ) -> EventLoopFuture<[Service]> {
        self.query(host, .naptr, on: loop).flatMap { records in
            let rules = Self.rules(records, usable)
            let lookups: [EventLoopFuture<[Service]>] =
                rules.isEmpty
                ? usable.map { self.services($0, host, on: loop) }
                : rules.prefix(Self.maximumDestinations).map { rule in
                    self.query(rule.replacement, .srv, on: loop).map { Self.services($0, rule.kind) }
                }
            return EventLoopFuture.whenAllSucceed(lookups, on: loop).map { $0.flatMap { $0 } }
        }
    }

    private static func rules(
        _ records: [DNSRecord],
        _ usable: [SIPTransportKind]
    ) -> [(kind: SIPTransportKind, replacement: String)] {
        var rules: [(order: UInt16, preference: UInt16, kind: SIPTransportKind, replacement: String)] = []
        for record in records {
            guard case .rule(let order, let preference, "s", let service, let replacement) = record.data,
                let kind = Self.kind(service: service), usable.contains(kind)
            else { continue }
            rules.append((order, preference, kind, replacement))
        }
        return rules.sorted { ($0.order, $0.preference) < ($1.order, $1.preference) }.map { ($0.kind, $0.replacement) }
    }

    /// SRV records in the order to try them: by priority, and among equals at random by weight (RFC 2782).
    private static func services(_ records: [DNSRecord], _ kind: SIPTransportKind) -> [Service] {
        var services: [Service] = []
        for record in records {
            guard case .service(let priority, let weight, let port, let target) = record.data, !target.isEmpty, port > 0
            else { continue }
            services.append(Service(transport: kind, host: target, port: port, priority: priority, weight: weight))
        }
        var ordered: [Service] = []
        for (_, group) in Dictionary(grouping: services, by: \.priority).sorted(by: { $0.key < $1.key }) {
            var rest = group
            while !rest.isEmpty {
                let total = rest.reduce(0) { $0 + Int($1.weight) }
                var point = Int.random(in: 0...total)
                let index = rest.firstIndex { service in
                    point -= Int(service.weight)
                    return point <= 0
                }
                ordered.append(rest.remove(at: index ?? 0))
            }
        }
        return ordered
    }

    /// The addresses of services, IPv6 first, in the order of the services.
    private func addresses(
        _ services: [Service],
        name: String,
        on loop: any EventLoop
    ) -> EventLoopFuture<[Destination]> {
        let lookups = services.prefix(Self.maximumDestinations).map { service in
            self.addresses(service.host, on: loop).map { addresses in
                addresses.compactMap { bytes -> Destination? in
                    let packed = AddressText.text(bytes)
                    guard let address = try? SocketAddress(ipAddress: packed, port: Int(service.port)) else {
                        return nil
                    }
                    // A certificate must be for the name that was asked for, not for what DNS made of it (RFC 5922).
                    return Destination(transport: service.transport, address: address, serverName: name)
                }
            }
        }
        return EventLoopFuture.whenAllSucceed(Array(lookups), on: loop).flatMapThrowing { lists in
            let all = lists.flatMap { $0 }
            guard !all.isEmpty else { throw DNSError(.notFound, "the name has no address") }
            return Array(all.prefix(Self.maximumDestinations))
        }
    }

    private func addresses(_ host: String, on loop: any EventLoop) -> EventLoopFuture<[[UInt8]]> {
        if let bytes = Host.addressBytes(host) { return loop.makeSucceededFuture([bytes]) }
        // RFC 6761 section 6.3: the name never leaves the machine.
        if ASCII.equalIgnoringCase(host, "localhost") { return loop.makeSucceededFuture([[127, 0, 0, 1]]) }
        let both = [DNSRecordType.aaaa, .a].map { self.query(host, $0, on: loop) }
        return EventLoopFuture.whenAllSucceed(both, on: loop).map { lists in
            lists.flatMap { $0 }.compactMap { record in
                if case .address(let bytes) = record.data { bytes } else { nil }
            }
        }
    }

    /// The records of a type; a server failure for one type does not hide the others.
    private func query(_ name: String, _ type: DNSRecordType, on loop: any EventLoop) -> EventLoopFuture<[DNSRecord]> {
        self.client.query(name, type, on: loop).flatMapError { error in
            guard (error as? DNSError)?.code == .serverFailure else { return loop.makeFailedFuture(error) }
            return loop.makeSucceededFuture([])
        }
    }
}
