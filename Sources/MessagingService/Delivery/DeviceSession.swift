import ClientWire
import FoundationEssentials
import Logging
import MessagingCore
import Store

/// One device's socket: frames in, frames out.
///
/// `@unchecked Sendable`: every method is called only in the context of the inbox it was opened with, and callbacks of
/// the store return there through `post`.
public final class DeviceSession: @unchecked Sendable {
    private enum Phase {
        case awaitingHello
        case opening(DeviceIdentity)
        case open(DeviceIdentity)
        case closed

        var identity: DeviceIdentity? {
            switch self {
            case .opening(let identity), .open(let identity): identity
            case .awaitingHello, .closed: nil
            }
        }
    }

    /// Commands under way for one device; more are refused until some are answered.
    public static let commandsInFlight = 64

    private let service: MessagingService
    private let link: any DeviceLink
    private let inbox: any Inbox
    private var phase = Phase.awaitingHello
    private var stream: DeviceStream
    private var epoch: Epoch?
    private var commands = 0
    private var progressIsDue = false
    /// While there are any the cursor is not kept: what it covers and was not noted is found at the next connection.
    private var uncommittedDeliveries = 0
    /// A page that is read once the link takes bytes again: pages of a listing wait for no acknowledgement.
    private var heldRequest: DeviceStream.Request?
    private var lastProgress = Timestamp(rawValue: 0)

    init(service: MessagingService, link: any DeviceLink, inbox: any Inbox) {
        self.service = service
        self.link = link
        self.inbox = inbox
        stream = DeviceStream(limits: service.configuration.window)
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
            open(hello)
        case .opening, .open: handle(frame)
        case .closed: break
        }
    }

    /// About once a second: persists what was acknowledged and renews the lease.
    public func tick() {
        guard case .open(let identity) = phase else { return }
        let now = service.clock()
        let leaseIsDue = now.milliseconds(since: lastProgress) > Limits.leaseMilliseconds / 4
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
        if case .open = phase, progressIsDue { saveProgress(identity, service.clock()) }
        stream.close()
        phase = .closed
    }

    // MARK: From the hub

    func replaced() { end(CloseCode.replaced, "the device connected again") }

    func revoked() { end(CloseCode.unauthenticated, "the device was revoked") }

    func changed(_ change: UserChange, _ rendering: ChangeRendering) {
        guard case .open(let identity) = phase else {
            if case .opening = phase { _ = stream.changed(base: change.base, head: change.head) }
            return
        }
        guard let device = change.devices.first(where: { $0.id == identity.device }) else { return revoked() }
        guard case .push = handing(stream.changed(base: change.base, head: change.head)) else { return }
        guard let choices = choices(change, device), link.isWritable else {
            return act(stream.readInstead(from: change.base))
        }
        if choices.contains(where: { $0 != nil }) || change.head > change.base {
            let frame = rendering.frame(choices)
            let deliverables = zip(change.items, choices).compactMap { changed, choice in
                choice.map { $0.form != .state && changed.item.isDeliverable } == true ? changed.item.created : nil
            }
            stream.noteSent(
                upTo: change.head,
                items: max(1, change.items.count),
                bytes: frame.count,
                deliverables: deliverables
            )
            link.write(frame)
            link.flush()
        }
    }

    /// Carries out everything but a push, which the caller does.
    private func handing(_ action: DeviceStream.Action) -> DeviceStream.Action {
        if action != .push { act(action) }
        return action
    }

    /// What this device gets of each item; nil when the store must be read for it.
    private func choices(_ change: UserChange, _ device: Device) -> [ChangeRendering.Choice?]? {
        var choices: [ChangeRendering.Choice?] = []
        choices.reserveCapacity(change.items.count)
        for changed in change.items {
            guard let message = changed.item.message else {
                choices.append(
                    !device.isTold(ofStateOf: changed.item)
                        ? nil : ChangeRendering.Choice(form: .state, deliver: .whole, silent: true, reports: true)
                )
                continue
            }
            guard let decision = message.decisions[device.id] else { return nil }
            var form = ItemWriter.Form.state
            if changed.document != nil, decision.because != .sentFromHere {
                // A notice needs its link and a look into the content: the page reader makes those.
                if decision.deliver == .notification { return nil }
                form = .whole
            } else if changed.item.created <= change.base, !device.isTold(ofStateOf: changed.item) {
                choices.append(nil)
                continue
            }
            choices.append(
                decision.deliver == .nothing
                    ? nil
                    : ChangeRendering.Choice(
                        form: form,
                        deliver: decision.deliver,
                        silent: decision.silent,
                        reports: message.receivers.isEmpty || change.wantsReports(device)
                    )
            )
        }
        return choices
    }

    // MARK: Opening

    private func open(_ hello: ClientFrame.Hello) {
        service.identify(token: hello.token) { [inbox, self] result in
            inbox.post { self.identified(result, hello) }
        }
    }

    private func identified(_ result: Result<DeviceIdentity, any Error>, _ hello: ClientFrame.Hello) {
        guard case .awaitingHello = phase else { return }
        guard case .success(let identity) = result else {
            return end(CloseCode.unauthenticated, "the token is not valid")
        }
        phase = .opening(identity)
        // Before the head is read: a change committed after that read finds this session waiting.
        service.hub.attach(identity, self, inbox: inbox)
        readStore { reader in
            let account = reader.user.account
            let catchUp = CatchUp.decide(
                cursor: hello.cursor,
                epoch: account.epoch,
                head: account.head,
                trim: account.trim
            )
            let arrived = try reader.arrivals(upTo: hello.cursor)
            return { session in
                session.opened(identity, account, catchUp)
                if !arrived.isEmpty { session.service.delivered(identity.account, arrived) }
            }
        }
    }

    private func opened(_ identity: DeviceIdentity, _ account: Account, _ catchUp: CatchUp) {
        guard case .opening = phase else { return }
        phase = .open(identity)
        epoch = account.epoch
        var frame = ServerFrame()
        frame.welcome = ServerFrame.Welcome(
            account: identity.account,
            device: identity.device,
            epoch: account.epoch,
            head: account.head,
            now: service.clock(),
            windowItems: service.configuration.window.items,
            windowBytes: service.configuration.window.bytes,
            leaseMilliseconds: Limits.leaseMilliseconds
        )
        write(frame)
        act(stream.open(catchUp, head: account.head))
        saveProgress(identity, service.clock())
        link.flush()
    }

    // MARK: Frames

    private func acknowledge(_ identity: DeviceIdentity, _ number: ChangeNumber, _ level: ChangeNumber?) {
        let (action, delivered) = stream.acknowledge(number, level: level)
        progressIsDue = true
        if !delivered.isEmpty {
            uncommittedDeliveries += 1
            service.delivered(identity.account, delivered) { [inbox, self] in
                inbox.post { self.uncommittedDeliveries -= 1 }
            }
        }
        act(action)
    }

    private func handle(_ frame: ClientFrame) {
        guard case .open(let identity) = phase else { return end(CloseCode.badFrame, "wait for welcome") }
        if let number = frame.ack { return acknowledge(identity, number, frame.level) }
        guard let ref = frame.ref else { return end(CloseCode.badFrame, "a command has a ref") }
        guard commands < Self.commandsInFlight else {
            return answer(ref, .failure(Refusal(.rateLimited, "wait for answers before sending more commands")))
        }
        if let request = frame.send {
            commands += 1
            service.send(identity, request) { [inbox, self] result in
                inbox.post { self.sent(ref, result) }
            }
        } else if let request = frame.read {
            command(ref) {
                try await $0.markRead(identity, request)
            } fill: {
                $0.done = $1
            }
        } else if let request = frame.delete {
            command(ref) {
                try await $0.delete(identity, request)
            } fill: {
                $0.done = $1
            }
        } else if let id = frame.fetch {
            command(ref) {
                try await $0.fetch(identity, id)
            } fill: {
                $0.item = $1
            }
        } else {
            answer(ref, .failure(Refusal(.invalidRequest, "the frame holds no command that this server knows")))
        }
    }

    private func command<T: Sendable>(
        _ ref: Int,
        _ body: @escaping @Sendable (MessagingService) async throws -> T,
        fill: @escaping @Sendable (inout ServerFrame, T) -> Void
    ) {
        commands += 1
        Task { [service, inbox, self] in
            let result: Result<T, any Error>
            do { result = .success(try await body(service)) } catch { result = .failure(error) }
            inbox.post { self.finish(ref, result, fill: fill) }
        }
    }

    /// The answer that is written most often, without the general encoder.
    private func sent(_ ref: Int, _ result: Result<SendAnswer, any Error>) {
        guard case .success(let answer) = result else { return finish(ref, result) { $0.sent = $1 } }
        commands -= 1
        if case .closed = phase { return }
        var writer = ItemWriter()
        writer.answer(answer, ref: ref)
        link.write(writer.bytes)
        link.flush()
    }

    private func finish<T>(
        _ ref: Int,
        _ result: Result<T, any Error>,
        fill: (inout ServerFrame, T) -> Void
    ) {
        commands -= 1
        answer(
            ref,
            result.map { value in
                var frame = ServerFrame()
                fill(&frame, value)
                return frame
            }
        )
    }

    private func answer(_ ref: Int, _ result: Result<ServerFrame, any Error>) {
        if case .closed = phase { return }
        var frame: ServerFrame
        switch result {
        case .success(let filled): frame = filled
        case .failure(let error):
            let refusal = error as? Refusal ?? Refusal(.internalError, "the server could not do this")
            frame = ServerFrame()
            frame.problem = Problem(refusal)
        }
        frame.ref = ref
        write(frame)
        link.flush()
    }

    // MARK: Reading

    private func act(_ action: DeviceStream.Action) {
        switch action {
        case .none, .push: break
        case .fail: end(CloseCode.badFrame, "the acknowledgement is beyond what was sent")
        case .mark(let number):
            write(upTo: number)
            link.flush()
        case .read(let request):
            guard link.isWritable else {
                heldRequest = request
                return
            }
            read(request)
        }
    }

    private func read(_ request: DeviceStream.Request) {
        readStore { reader in
            switch request {
            case .changes(let after, let level):
                if let restart = Self.restartIfTrimmed(reader, after) { return restart }
                let page = try reader.changes(after: after, level: level)
                return { $0.wrote(page) { $0.wrote(changesUpTo: page.upTo, exhausted: page.last) } }
            case .digest(let after, let createdUpTo):
                if let restart = Self.restartIfTrimmed(reader, after) { return restart }
                let head = reader.user.account.head
                if head - after > Int64(Limits.digestEntries) {
                    return { $0.act($0.stream.restart(.tooFarBehind, head: head)) }
                }
                let page = try reader.digest(after: after, createdUpTo: createdUpTo)
                return {
                    $0.wrote(page, counted: false) {
                        $0.wrote(digestUpTo: page.upTo, createdUpTo: createdUpTo, last: page.last)
                    }
                }
            case .reset(let reason, let asOf, let before):
                let page = try reader.reset(reason, asOf: asOf, before: before)
                return {
                    $0.wrote(page, counted: false) { $0.wrote(resetAsOf: asOf, reason: reason, next: page.next) }
                }
            }
        }
    }

    /// Tombstones beyond the position may be gone: the device was away for so long that it held them no more.
    private static func restartIfTrimmed(
        _ reader: PageReader,
        _ after: ChangeNumber
    ) -> (@Sendable (DeviceSession) -> Void)? {
        let account = reader.user.account
        guard after < account.trim else { return nil }
        return { $0.act($0.stream.restart(.trimmed, head: account.head)) }
    }

    private func wrote(
        _ page: PageReader.Page,
        counted: Bool = true,
        _ advance: (inout DeviceStream) -> DeviceStream.Action
    ) {
        guard case .open = phase else { return }
        link.write(page.frame)
        // First: what comes next depends on the room that this page leaves.
        if counted, page.items > 0 {
            stream.noteSent(
                upTo: page.upTo,
                items: page.items,
                bytes: page.frame.count,
                deliverables: page.deliverables
            )
        } else if !page.deliverables.isEmpty {
            stream.noteSent(upTo: page.upTo, items: 0, bytes: 0, deliverables: page.deliverables)
        }
        let action = advance(&stream)
        link.flush()
        act(action)
    }

    /// Runs a read in the store and what it returns back here.
    private func readStore(
        _ body: @escaping @Sendable (PageReader) throws -> @Sendable (DeviceSession) -> Void
    ) {
        guard let identity = phase.identity else { return }
        service.store.read({ [service, inbox, self] view in
            let next: @Sendable (DeviceSession) -> Void
            do {
                next = try body(PageReader(service: service, view: view, identity: identity))
            } catch let refusal as Refusal where refusal.code == .unauthenticated {
                next = { $0.revoked() }
            } catch {
                service.logger.error("reading for a device failed", metadata: ["error": "\(type(of: error))"])
                next = { $0.end(CloseCode.goingAway, "the server could not read") }
            }
            inbox.post { next(self) }
        }) { [inbox, self] _ in
            inbox.post { self.end(CloseCode.goingAway, "the server could not read") }
        }
    }

    // MARK: Writing

    private func write(upTo number: ChangeNumber) {
        var writer = ItemWriter(reserving: 64)
        writer.text("{\"changes\":[],\"upTo\":")
        writer.number(number)
        writer.text(",\"level\":")
        writer.number(number)
        writer.text("}")
        link.write(writer.bytes)
    }

    private func write(_ frame: ServerFrame) {
        guard let bytes = try? Documents.encode(frame) else { return }
        link.write(bytes)
    }

    private func saveProgress(_ identity: DeviceIdentity, _ now: Timestamp) {
        guard let epoch else { return }
        lastProgress = now
        progressIsDue = uncommittedDeliveries > 0
        let cursor = Cursor(epoch: epoch, number: stream.acknowledged, level: stream.level)
        service.progress(identity, progressIsDue ? nil : cursor)
    }

    private func end(_ code: UInt16, _ reason: String) {
        if case .closed = phase { return }
        link.close(code: code, reason: reason)
        closed()
    }
}

extension UserChange {
    /// Whether this device is told of reports.
    func wantsReports(_ device: Device) -> Bool { reportsDevices?.contains(device.id) ?? true }
}

extension Device {
    /// Whether it is told what became of an item that it knows: reads and deletions made elsewhere can be turned off,
    /// reports on sent messages go by their own rules.
    func isTold(ofStateOf item: Item) -> Bool {
        if synchronises || item.kind != .message { return true }
        guard let message = item.message else { return false }
        return !message.flags.contains(.received)
    }
}

extension Item {
    /// Its arrival is to be reported to the sender.
    var isDeliverable: Bool {
        guard let flags = message?.flags else { return false }
        return flags.contains(.received) && flags.contains(.wantsDelivered) && !flags.contains(.delivered)
    }
}
