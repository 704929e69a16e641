import ClientWire
import FoundationEssentials
public import MessagingCore
import Store

/// One device's socket: frames in, frames out.
///
/// `@unchecked Sendable`: every method is called only in the context of the inbox it was opened with, and callbacks of
/// the store return there through `post`.
public final class DeviceSession: @unchecked Sendable {
    enum Phase {
        case awaitingHello
        /// Its token is looked up: once for each connection, whatever else comes.
        case identifying
        case opening(DeviceIdentity)
        case open(DeviceIdentity)
        case closed

        var identity: DeviceIdentity? {
            switch self {
            case .opening(let identity), .open(let identity): identity
            case .awaitingHello, .identifying, .closed: nil
            }
        }
    }

    /// Commands under way for one device; more are refused until some are answered.
    public static let commandsInFlight = 64
    /// Hints of one device within a second: an offer with its candidates is some dozens.
    static let hintsPerTick = 200

    let service: MessagingService
    let link: any DeviceLink
    let inbox: any Inbox
    var phase = Phase.awaitingHello
    var stream: DeviceStream
    var epoch: Epoch?
    var commands = 0
    var hints = 0
    var progressIsDue = false
    /// While there are any the cursor is not kept: what it covers and was not noted is found at the next connection.
    var uncommittedDeliveries = 0
    /// A page that is read once the link takes bytes again: pages of a listing wait for no acknowledgement.
    var heldRequest: DeviceStream.Request?
    /// When the registration ends that something else renews; nil when this connection holds it.
    var leaseEnds: Timestamp?
    /// Where the device's stream began.
    public internal(set) var start: ChangeNumber = 0
    private(set) var lastProgress = Timestamp(rawValue: 0)

    init(service: MessagingService, link: any DeviceLink, inbox: any Inbox, window: WindowLimits? = nil) {
        self.service = service
        self.link = link
        self.inbox = inbox
        stream = DeviceStream(limits: window ?? service.configuration.window)
    }

    // MARK: From the link

    /// One whole text frame.
    public func receive(_ bytes: [UInt8]) {
        if case .closed = phase { return }
        if let acknowledgement = Acknowledgement(bytes), case .open(let identity) = phase {
            return acknowledge(identity, acknowledgement.number, acknowledgement.level)
        }
        let frame: ClientFrame
        do {
            frame = try StrictJSON.decode(ClientFrame.self, from: Data(bytes))
        } catch {
            return end(CloseCode.badFrame, error.detail)
        }
        switch phase {
        case .awaitingHello:
            guard let hello = frame.hello else { return end(CloseCode.badFrame, "the first frame is hello") }
            phase = .identifying
            open(hello)
        case .identifying: end(CloseCode.badFrame, "nothing is said before the answer to hello")
        case .opening, .open: handle(frame)
        case .closed: break
        }
    }

    /// About once a second: persists what was acknowledged and renews the lease.
    public func tick() {
        guard case .open(let identity) = phase else { return }
        hints = 0
        let now = service.clock()
        let leaseIsDue = leaseEnds == nil && now.milliseconds(since: lastProgress) > Limits.leaseMilliseconds / 4
        guard progressIsDue || leaseIsDue else { return }
        saveProgress(identity, now)
    }

    /// The link takes bytes again, or no more.
    public func writabilityChanged() {
        guard link.isWritable else { return }
        if let request = heldRequest {
            heldRequest = nil
            read(request)
        } else {
            act(stream.resume())
        }
        link.flush()
    }

    /// The connection is gone.
    public func closed() {
        guard let identity = phase.identity else {
            phase = .closed
            return
        }
        service.hub.detach(identity, self)
        service.attendance(of: identity)
        if case .open = phase, progressIsDue { saveProgress(identity, service.clock()) }
        stream.close()
        phase = .closed
    }

    // MARK: Writing

    func write(upTo number: ChangeNumber) {
        var writer = ItemWriter(reserving: 64)
        writer.text("{\"changes\":[],\"upTo\":")
        writer.number(number)
        writer.text(",\"level\":")
        writer.number(number)
        writer.text("}")
        link.write(writer.bytes)
    }

    func write(_ frame: ServerFrame) {
        guard let bytes = try? Documents.encode(frame) else { return }
        link.write(bytes)
    }

    func saveProgress(_ identity: DeviceIdentity, _ now: Timestamp) {
        guard let epoch else { return }
        lastProgress = now
        progressIsDue = uncommittedDeliveries > 0
        let cursor = Cursor(epoch: epoch, number: stream.acknowledged, level: stream.level)
        service.progress(identity, progressIsDue ? nil : cursor, leaseEnds: leaseEnds)
    }

    func end(_ code: UInt16, _ reason: String) {
        if case .closed = phase { return }
        link.close(code: code, reason: reason)
        closed()
    }
}
