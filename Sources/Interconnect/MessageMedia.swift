import MSRP
import MSRPTransport
import MessageSignalling
import NIOCore
import NIOPosix
import NIOSSL
import SDP
import Synchronization

/// Where messages flow that are too large for a request: MSRP over TLS (RFC 4975).
///
/// The certificate of the other end is the one that its signalling names (RFC 4572), and signalling is authenticated.
final class MessageMedia: Sendable {
    private let endpoint: MSRPEndpoint
    private let listener: MSRPListener
    /// Of the certificate that is shown.
    private let shown: Mutex<Fingerprint>
    private let port: UInt16
    /// What stands in paths when the operator names a host; else the address by which the peer reached this one.
    private let host: String?

    init(_ configuration: InterconnectConfiguration, _ certificates: PeerCertificates) async throws {
        var settings = MSRPEndpoint.Configuration()
        settings.clientTLS = certificates.media
        // A transfer that is slow must not hold up another.
        settings.sharesConnections = false
        // A conversation may have two for a while, when it changes its path.
        settings.limits.maxSessions = InterconnectLimits.transfers + 2 * InterconnectLimits.dialogs
        endpoint = MSRPEndpoint(group: MultiThreadedEventLoopGroup.singleton, configuration: settings)
        listener = try await endpoint.listen(
            host: configuration.host,
            port: configuration.messagePort,
            tls: certificates.server
        )
        port = UInt16(listener.localAddress?.port ?? configuration.messagePort)
        host = configuration.messageHost
        shown = Mutex(try Self.fingerprint(certificates))
    }

    private static func fingerprint(_ certificates: PeerCertificates) throws -> Fingerprint {
        Fingerprint(
            hashFunction: "sha-256",
            octets: CertificateFingerprint(ofCertificate: try certificates.leaf.toDERBytes()).octets
        )
    }

    private var fingerprint: Fingerprint { shown.withLock { $0 } }

    /// Shows other certificates from now on. Who was told the one before, and has not connected yet, is offered a path anew.
    func use(_ certificates: PeerCertificates) throws {
        let fingerprint = try Self.fingerprint(certificates)
        endpoint.use(clientTLS: certificates.media)
        listener.use(tls: certificates.server)
        shown.withLock { $0 = fingerprint }
    }

    func close() async { try? await listener.close() }

    /// This end of a session, as it is offered or answered.
    struct End: Sendable {
        let local: MSRPURI
        let description: SessionDescription
    }

    /// - Parameters:
    ///   - address: by which the other side reaches this host.
    ///   - sends: whether the message goes out.
    ///   - file: what it is, if it goes as one file.
    func end(at address: String, sends: Bool, _ file: PushedFile? = nil) throws -> End {
        let host = host ?? address
        let local = try MSRPURI(secure: true, host: host, port: port, sessionID: MSRPEndpoint.makeSessionID())
        let own = MSRPAttributes(
            path: [local.text],
            acceptTypes: ["message/cpim"] + (file.map { [$0.type] } ?? []),
            acceptWrappedTypes: ["*"],
            setup: sends ? .active : .passive
        )
        let direction: MediaDirection = sends ? .sendOnly : .receiveOnly
        let connection = Connection(addressType: host.contains(":") ? "IP6" : "IP4", address: host)
        let medium = MediaDescription(
            type: "message",
            port: Int(port),
            proto: "TCP/TLS/MSRP",
            formats: ["*"],
            attributes: own.attributes + [
                Attribute(direction.rawValue), Attribute("fingerprint", fingerprint.text),
            ] + (file?.attributes ?? [])
        )
        let origin = Origin(
            sessionID: "\(UInt64.random(in: 1...UInt64(Int64.max)))",
            sessionVersion: "1",
            addressType: connection.addressType,
            address: host
        )
        return End(
            local: local,
            description: SessionDescription(origin: origin, connection: connection, media: [medium])
        )
    }

    // MARK: Live conversations

    /// What may stand in a conversation as it is: the rest of `accept-types` is wrapped.
    static let conversationTypes = ["message/cpim", "application/im-iscomposing+xml"]

    /// This end of a conversation's texts.
    /// - Parameters:
    ///   - address: by which the other side reaches this host.
    ///   - setup: which side connects.
    func conversation(at address: String, setup: SetupRole) throws -> (local: MSRPURI, medium: MediaAcceptance) {
        let host = host ?? address
        let local = try MSRPURI(secure: true, host: host, port: port, sessionID: MSRPEndpoint.makeSessionID())
        return (local, conversation(local, setup: setup))
    }

    /// The same end once more.
    func conversation(_ local: MSRPURI, setup: SetupRole) -> MediaAcceptance {
        let own = MSRPAttributes(
            path: [local.text],
            acceptTypes: Self.conversationTypes,
            acceptWrappedTypes: ["*"],
            setup: setup
        )
        return MediaAcceptance(
            port: Int(port),
            connection: Self.connection(local.host),
            attributes: own.attributes + [Attribute("fingerprint", fingerprint.text)]
        )
    }

    /// Who describes, for a new session.
    func origin(at address: String) -> Origin {
        let host = host ?? address
        return Origin(
            sessionID: "\(UInt64.random(in: 1...UInt64(Int64.max)))",
            sessionVersion: "1",
            addressType: Self.connection(host).addressType,
            address: host
        )
    }

    private static func connection(_ host: String) -> Connection {
        Connection(addressType: host.contains(":") ? "IP6" : "IP4", address: host)
    }

    /// A session for a conversation's texts; to be started.
    func session(_ local: MSRPURI, to other: ConversationPath, _ events: SessionEvents) throws -> MSRPSession {
        var address = other.path.first.map { ConnectionAddress($0) }
        address?.fingerprint = other.fingerprint
        return try endpoint.makeSession(
            local: local,
            remotePath: other.path,
            role: other.connects ? .active : .passive,
            address: address,
            handler: events
        ) {
            $0.acceptance = .explicit
            $0.acceptTypes = AcceptTypes(Self.conversationTypes.joined(separator: " "))
        }
    }

    // MARK: Large messages, and files

    /// How this end takes a file.
    func file(at address: String, _ file: OfferedFile) throws -> (local: MSRPURI, medium: MediaAcceptance) {
        let local = try MSRPURI(
            secure: true,
            host: host ?? address,
            port: port,
            sessionID: MSRPEndpoint.makeSessionID()
        )
        let own = MSRPAttributes(
            path: [local.text],
            acceptTypes: file.carriers,
            acceptWrappedTypes: ["*"],
            setup: .passive
        )
        let medium = MediaAcceptance(
            port: Int(port),
            wish: .receiveOnly,
            connection: Self.connection(local.host),
            attributes: file.repeated + own.attributes + [Attribute("fingerprint", fingerprint.text)]
        )
        return (local, medium)
    }

    /// The other end, as it describes itself; nil when nothing can flow to or from it.
    /// - Parameters:
    ///   - slot: its line; the first that there is if nil.
    ///   - type: what it has to take, if it is to receive.
    static func peer(
        _ description: SessionDescription,
        slot: Int? = nil,
        accepting type: String? = "message/cpim"
    ) -> (path: [MSRPURI], fingerprint: CertificateFingerprint)? {
        guard let slot = slot ?? description.media.firstIndex(where: { $0.isMSRP && !$0.isRejected }),
            case let medium = description.media[slot],
            let attributes = try? MSRPAttributes(of: medium), type.map({ attributes.accepts($0) }) ?? true,
            let path = try? attributes.path.map({ try MSRPURI(parsing: $0) }), path.allSatisfy(\.isSecure),
            let stated = medium.fingerprints.first ?? description.fingerprints.first,
            let fingerprint = try? CertificateFingerprint(parsing: stated.text)
        else { return nil }
        return (path, fingerprint)
    }

    /// A session that connects.
    func connect(
        _ local: MSRPURI,
        to peer: (path: [MSRPURI], fingerprint: CertificateFingerprint)
    ) throws -> MSRPSession {
        guard let first = peer.path.first else { throw MSRPError(.malformedURI, "a path") }
        var address = ConnectionAddress(first)
        address.fingerprint = peer.fingerprint
        let session = try endpoint.makeSession(
            local: local,
            remotePath: peer.path,
            role: .active,
            address: address,
            handler: SessionEvents()
        )
        session.start()
        return session
    }

    /// A session that waits for the other end to connect.
    func wait(
        _ local: MSRPURI,
        for path: [MSRPURI],
        _ events: SessionEvents,
        accepting types: [String] = ["message/cpim"]
    ) throws -> MSRPSession {
        let session = try endpoint.makeSession(local: local, remotePath: path, role: .passive, handler: events) {
            $0.acceptance = .explicit
            $0.acceptTypes = AcceptTypes(types.joined(separator: " "))
        }
        session.start()
        return session
    }
}
