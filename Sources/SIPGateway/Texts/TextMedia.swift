import MSRP
import MSRPTransport
import MessageSignalling
import NIOCore
import NIOSSL
import SDP
import Synchronization

/// Where phones bring, and get, what is said in live conversations: MSRP (RFC 4975).
///
/// It waits to be connected to and connects nowhere, so that no phone can make the server open connections to a place of
/// its choice; a session's name, which only its own dialog was told, is what a connection proves itself by.
final class TextMedia: Sendable {
    private struct Door: Sendable {
        let listener: MSRPListener
        let port: Int
    }

    /// What may stand in a session as it is; all else is wrapped.
    private static let types = ["message/cpim", "application/im-iscomposing+xml"]
    private static let wrappedTypes = ["text/*", "message/imdn+xml", "application/im-iscomposing+xml"]

    private let endpoint: MSRPEndpoint
    private let maximumBytes: UInt64
    private let doors: [Bool: Door]
    /// The fingerprint of the certificate that the protected door shows.
    private let shown: Mutex<Fingerprint?>

    /// Opens the doors that the configuration names: in the clear, and over TLS where there is a certificate.
    init(
        _ configuration: SIPGatewayConfiguration,
        _ certificates: PhoneCertificates?,
        on group: any EventLoopGroup
    ) async throws {
        let limits = configuration.limits
        maximumBytes = UInt64(limits.textBytes)
        var settings = MSRPEndpoint.Configuration()
        settings.limits.maxSessions = limits.textSessions
        settings.limits.maxConnections = limits.textSessions
        settings.limits.unboundTimeout = .seconds(limits.textPathSeconds)
        settings.sessionLimits.maxMessageBytes = UInt64(limits.textBytes)
        settings.sessionLimits.maxIncompleteMessages = limits.textsInHand
        settings.sessionLimits.maxUnsettledMessages = limits.textsInHand
        settings.sessionLimits.peerTimeout = .seconds(limits.textPathSeconds)
        settings.sessionLimits.resumeTimeout = .seconds(limits.textPathSeconds)
        endpoint = MSRPEndpoint(group: group, configuration: settings)
        var doors: [Bool: Door] = [:]
        if let place = configuration.texts {
            let listener = try await endpoint.listen(host: place.host, port: place.port)
            doors[false] = Door(listener: listener, port: listener.localAddress?.port ?? place.port)
        }
        if let place = configuration.secureTexts, let certificates {
            let listener = try await endpoint.listen(host: place.host, port: place.port, tls: certificates.context)
            doors[true] = Door(listener: listener, port: listener.localAddress?.port ?? place.port)
        }
        shown = Mutex(certificates.flatMap(Self.fingerprint))
        self.doors = doors
    }

    private static func fingerprint(_ certificates: PhoneCertificates) -> Fingerprint? {
        guard let octets = try? CertificateFingerprint(ofCertificate: certificates.leaf.toDERBytes()).octets else {
            return nil
        }
        return Fingerprint(hashFunction: "sha-256", octets: octets)
    }

    /// Shows another certificate from now on.
    func use(_ certificates: PhoneCertificates) {
        doors[true]?.listener.use(tls: certificates.context)
        shown.withLock { $0 = Self.fingerprint(certificates) }
    }

    func close() async { for door in doors.values { try? await door.listener.close() } }

    /// Whether there is a door of this sort: what is protected in signalling is not said in the clear.
    func serves(isSecure: Bool) -> Bool { doors[isSecure] != nil }

    static func reach(isSecure: Bool) -> TextReach { TextReach(isSecure: isSecure, connects: false) }

    /// How this end describes itself to one phone; nil without a door.
    /// - Parameter host: the address by which the phone reaches this host.
    func description(at host: String, isSecure: Bool) -> DialogDescription? {
        guard let door = doors[isSecure] else { return nil }
        let size = maximumBytes
        let connection = Connection(addressType: host.contains(":") ? "IP6" : "IP4", address: host)
        let again: @Sendable (MSRPURI, SetupRole) -> MediaAcceptance = { [self] local, setup in
            var own = MSRPAttributes(
                path: [local.text],
                acceptTypes: Self.types,
                acceptWrappedTypes: Self.wrappedTypes,
                setup: setup
            )
            own.maximumSize = size
            let shown = isSecure ? shown.withLock { $0 } : nil
            let fingerprint = shown.map { [Attribute("fingerprint", $0.text)] } ?? []
            return MediaAcceptance(port: door.port, connection: connection, attributes: own.attributes + fingerprint)
        }
        let ends = DialogDescription.Ends(Self.reach(isSecure: isSecure)) { setup in
            let local = try MSRPURI(
                secure: isSecure,
                host: host,
                port: UInt16(clamping: door.port),
                sessionID: MSRPEndpoint.makeSessionID()
            )
            return (local, again(local, setup))
        } again: {
            again($0, $1)
        }
        let origin = Origin(
            sessionID: "\(UInt64.random(in: 1...UInt64(Int64.max)))",
            sessionVersion: "1",
            addressType: connection.addressType,
            address: host
        )
        return DialogDescription(ends, origin: origin)
    }

    /// A session that waits for the phone; to be started.
    func session(_ path: DialogDescription.Path, _ events: SessionEvents) throws -> MSRPSession {
        try endpoint.makeSession(
            local: path.local,
            remotePath: path.other.path,
            role: .passive,
            handler: events
        ) {
            $0.acceptance = .explicit
            $0.acceptTypes = AcceptTypes(Self.types.joined(separator: " "))
        }
    }
}
