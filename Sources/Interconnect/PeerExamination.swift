import FoundationEssentials
public import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import SIP
import SIPTransport

/// What was found out about the way to another provider.
public struct PeerFinding: Sendable, Hashable {
    /// What was looked at, in this order; what stands behind a failure is not looked at.
    public enum Subject: String, Sendable {
        case certificate = "own certificate"
        case peer
        case route
        case connection
        case identity = "certificate"
        case answer
        case clock
    }

    public var subject: Subject
    public var isGood: Bool
    public var text: String
    /// What it means, and what to do about it.
    public var mend: String?
}

extension Interconnect {
    /// Clocks that differ by more make certificates and expiries fail at odd times.
    static let clockSeconds = 60.0
    private static let connectTime = TimeAmount.seconds(10)

    /// Looks at the way to a provider, step by step, as a message would go; sends none.
    public static func examine(
        _ domain: String,
        _ configuration: InterconnectConfiguration,
        logger: Logger
    ) async -> [PeerFinding] {
        let certificates: PeerCertificates
        do {
            certificates = try PeerCertificates(configuration)
        } catch {
            return [bad(.certificate, "cannot be used: \(error)", "give certificate, key and authorities as PEM files")]
        }
        var findings = [own(certificates.leaf, configuration)]
        guard let peer = PeerTable(configuration.peers)[domain] else {
            return findings + [
                bad(
                    .peer,
                    "\(domain) is not among interconnect.peers",
                    "add {domain: \(domain)}; it has to add this one"
                )
            ]
        }
        findings.append(good(.peer, "\(peer.domain), known as \(peer.identities.sorted().joined(separator: ", "))"))
        do {
            let stack = try await PeerStack(
                configuration,
                certificates: certificates,
                resolver: try resolver(configuration),
                loop: MultiThreadedEventLoopGroup.singleton.next()
            ) { $0.respond(503) }
            findings += await examine(peer, stack, configuration, certificates)
            await stack.close()
        } catch {
            findings.append(bad(.route, "\(error)", "look at interconnect.name-servers"))
        }
        return findings
    }

    private static func examine(
        _ peer: Peer,
        _ stack: PeerStack,
        _ configuration: InterconnectConfiguration,
        _ certificates: PeerCertificates
    ) async -> [PeerFinding] {
        guard let places = try? await stack.places(of: peer), let place = places.first else {
            let host = peer.route?.host ?? peer.domain
            return [bad(.route, "no address for \(host)", "give the peer a route, or publish NAPTR and SRV records")]
        }
        var findings = [good(.route, places.map { text($0.address) }.joined(separator: ", "))]
        let shown: NIOSSLCertificate?
        do {
            shown = try await certificate(at: place.address, certificates)
            findings.append(good(.connection, "TLS at \(text(place.address))"))
        } catch is ChannelError {
            return findings + [
                bad(.connection, "nobody answers at \(text(place.address))", "is its server up, the port open?")
            ]
        } catch let error as NIOSSLError {
            return findings + [
                bad(.connection, "no TLS at \(text(place.address)): \(error)", "is it the port for SIP over TLS?")
            ]
        } catch is IOError {
            return findings + [
                bad(.connection, "nobody answers at \(text(place.address))", "is its server up, the port open?")
            ]
        } catch {
            return findings + [bad(.connection, "\(text(place.address)): \(error)", "its log may say more")]
        }
        guard let shown else { return findings + [bad(.identity, "none was shown", "it has to show one")] }
        let names = PeerCertificates.identities(of: shown)
        let validity = "until \(text(shown.notValidAfter))"
        guard names.contains(peer.serverName) else {
            let text = "for \(names.sorted().joined(separator: ", ")), not for \(peer.serverName)"
            return findings + [
                bad(.identity, text, "it needs a certificate for its domain, or 'names' in its entry here")
            ]
        }
        guard Date.now.timeIntervalSince1970 < Double(shown.notValidAfter) else {
            return findings + [
                bad(.identity, "over since \(text(shown.notValidAfter))", "the other provider renews it")
            ]
        }
        findings.append(good(.identity, "for \(names.sorted().joined(separator: ", ")), \(validity)"))
        let question = Requests.options(to: peer, from: configuration.domains.first ?? "")
        guard let response = await stack.send(question, to: peer), let status = response.status else {
            let mend =
                "one of the two certificates comes from no authority of the other; compare the files of authorities"
            return findings + [bad(.answer, "the connection was closed without an answer", mend)]
        }
        guard status.isSuccess else {
            let mend = status == 403 ? "it does not have this domain among its peers" : "its log says more"
            return findings + [bad(.answer, "\(status.rawValue) to OPTIONS", mend)]
        }
        findings.append(good(.answer, "\(status.rawValue) to OPTIONS"))
        return findings + [clock(response)]
    }

    private static func own(_ leaf: NIOSSLCertificate, _ configuration: InterconnectConfiguration) -> PeerFinding {
        let names = PeerCertificates.identities(of: leaf)
        let missing = configuration.domains.filter { !names.contains($0) }
        if !missing.isEmpty {
            let text = "not for \(missing.joined(separator: ", "))"
            return bad(.certificate, text, "others take messages only from the domains that it names as DNS names")
        }
        guard Date.now.timeIntervalSince1970 < Double(leaf.notValidAfter) else {
            return bad(.certificate, "over since \(text(leaf.notValidAfter))", "renew it")
        }
        return good(.certificate, "for \(names.sorted().joined(separator: ", ")), until \(text(leaf.notValidAfter))")
    }

    private static func clock(_ response: SIPMessage) -> PeerFinding {
        guard let value = response.text(.date), let time = SIPDate.unixSeconds(value) else {
            return good(.clock, "not told")
        }
        let seconds = Double(time) - Date.now.timeIntervalSince1970
        guard abs(seconds) < clockSeconds else {
            return bad(.clock, "\(Int(seconds)) s from the one here", "one of the two needs a time server")
        }
        return good(.clock, "the same, to a minute")
    }

    /// The certificate that is shown at a place, whatever it is worth; one's own is shown as well.
    private static func certificate(
        at address: SocketAddress,
        _ certificates: PeerCertificates
    ) async throws -> NIOSSLCertificate? {
        let shown = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: NIOSSLCertificate?.self)
        let context = certificates.unverified
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: shown.futureResult.eventLoop)
                .connectTimeout(connectTime)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try NIOSSLClientHandler(context: context, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandlers([tls, HandshakeWatcher(shown)])
                    }
                }
                .connect(to: address).get()
        } catch {
            shown.fail(error)
            _ = try? await shown.futureResult.get()
            throw error
        }
        let timer = channel.eventLoop.scheduleTask(in: connectTime) {
            shown.fail(ChannelError.connectTimeout(connectTime))
        }
        defer {
            timer.cancel()
            channel.close(promise: nil)
        }
        return try await shown.futureResult.get()
    }

    private static func text(_ address: SocketAddress) -> String {
        let host = address.ipAddress ?? "?"
        return "\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
    }

    private static func text(_ time: time_t) -> String {
        Date(timeIntervalSince1970: Double(time)).formatted(.iso8601.year().month().day())
    }

    private static func good(_ subject: PeerFinding.Subject, _ text: String) -> PeerFinding {
        PeerFinding(subject: subject, isGood: true, text: text)
    }

    private static func bad(_ subject: PeerFinding.Subject, _ text: String, _ mend: String) -> PeerFinding {
        PeerFinding(subject: subject, isGood: false, text: text, mend: mend)
    }
}

/// Tells what certificate came with the handshake.
private final class HandshakeWatcher: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let shown: EventLoopPromise<NIOSSLCertificate?>

    init(_ shown: EventLoopPromise<NIOSSLCertificate?>) { self.shown = shown }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            shown.succeed(try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self).peerCertificate)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        shown.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        shown.fail(ChannelError.eof)
        context.fireChannelInactive()
    }
}
