import ClientWire
import Dispatch
import FoundationEssentials
import MessagingCore
import Store
import Synchronization
import Testing

@testable import MessagingService

/// A device as a client is to be: it keeps what it is sent, acknowledges it, and can be slow.
final class TestDevice: DeviceLink, Inbox {
    /// What the device has on its own storage.
    struct Mirror: Sendable {
        var items: [ChangeNumber: ItemDocument] = [:]
        var cursor: Cursor?
        var unread: Int?
        var digests: [ServerFrame.Digest] = []
        var resets: [CatchUp.ResetReason] = []
        /// Frames in the order they came, by what they hold.
        var log: [String] = []
        var frames = 0
        /// Numbers of content frames that were sent twice for the same item.
        var contents: [ChangeNumber: Int] = [:]
        /// What came of each item, for whoever looks into a difference.
        var history: [ChangeNumber: [String]] = [:]
        var closed: UInt16?
        /// Hints in the order they came.
        var hints: [String] = []
        fileprivate var welcome: ServerFrame.Welcome?
        fileprivate var listing: [ChangeNumber: ItemDocument] = [:]
        /// Content that was asked for: a listing may have been read before.
        fileprivate var fetched: [ChangeNumber: Envelope] = [:]
        fileprivate var answers: [Int: ServerFrame] = [:]
        fileprivate var nextRef = 1
        fileprivate var writable = true
        fileprivate var acknowledges: Bool
        fileprivate var unacknowledged = 0
    }

    let world: World
    let identity: DeviceIdentity
    private let queue = DispatchQueue(label: "test-device")
    private let session = Mutex<DeviceSession?>(nil)
    private let state: Mutex<Mirror>

    init(world: World, identity: DeviceIdentity, acknowledges: Bool) {
        self.world = world
        self.identity = identity
        state = Mutex(Mirror(acknowledges: acknowledges))
    }

    var mirror: Mirror { state.withLock { $0 } }

    func open() {
        let opened = world.service.openSession(link: self, inbox: self)
        session.withLock { $0 = opened }
    }

    func connect(token: String, cursor: Cursor?) {
        state.withLock { $0.cursor = cursor }
        open()
        var frame = ClientFrame()
        frame.hello = ClientFrame.Hello(token: token, cursor: cursor)
        send(frame)
    }

    /// The device keeps its storage and connects again.
    func reconnected(_ device: Person.Device, acknowledges: Bool = true) -> TestDevice {
        let next = TestDevice(world: world, identity: identity, acknowledges: acknowledges)
        next.takeOver(self)
        next.connect(token: device.token, cursor: mirror.cursor)
        return next
    }

    /// Has what another run of the same device kept.
    func takeOver(_ other: TestDevice) {
        let kept = other.mirror
        state.withLock { $0.items = kept.items }
    }

    // MARK: What the device does

    func send(_ frame: ClientFrame) {
        do {
            let bytes = [UInt8](try StrictJSON.encode(frame))
            send(raw: bytes)
        } catch { Issue.record("a frame cannot be written: \(error)") }
    }

    /// These frames, in one turn.
    func receive(_ frames: [[UInt8]]) async {
        await onQueue { session in for frame in frames { session?.receive(frame) } }
    }

    func send(raw bytes: [UInt8]) { queue.async { [self] in session.withLock { $0 }?.receive(bytes) } }

    func disconnect() async {
        await onQueue {
            $0?.tick()
            $0?.closed()
        }
    }

    func tick() async { await onQueue { $0?.tick() } }

    /// A phone registers again.
    func renew(leaseEnds time: Timestamp) async { await onQueue { $0?.renew(leaseEnds: time) } }

    /// The network takes bytes again, or no more.
    func take(_ writable: Bool) async {
        state.withLock { $0.writable = writable }
        await onQueue { $0?.writabilityChanged() }
    }

    private func onQueue(_ body: @escaping @Sendable (DeviceSession?) -> Void) async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                body(session.withLock { $0 })
                continuation.resume()
            }
        }
    }

    /// Sends a command, once the device is welcome, and waits for its answer.
    func command(_ fill: (inout ClientFrame) -> Void) async throws -> ServerFrame {
        try await eventually("a welcome") { state.withLock { $0.welcome != nil } }
        let ref = state.withLock { state in
            defer { state.nextRef += 1 }
            return state.nextRef
        }
        var frame = ClientFrame()
        frame.ref = ref
        fill(&frame)
        send(frame)
        try await eventually("an answer to a command") { state.withLock { $0.answers[ref] != nil } }
        return try #require(state.withLock { $0.answers[ref] })
    }

    /// Acknowledges everything up to a number, and goes on doing so.
    func acknowledge(_ number: ChangeNumber? = nil, level: ChangeNumber? = nil, onwards: Bool = false) {
        var frame = ClientFrame()
        state.withLock { state in
            state.acknowledges = onwards
            state.unacknowledged = 0
            frame.ack = number ?? state.cursor?.number ?? 0
            frame.level = level ?? (number == nil ? state.cursor?.level : nil)
        }
        send(frame)
    }

    /// Items sent and not yet acknowledged.
    var unacknowledged: Int { state.withLock { $0.unacknowledged } }

    /// Waits until the device has everything as of the mailbox's head.
    func settle(_ place: SourceLocation = #_sourceLocation) async throws {
        try await eventually("device \(identity.device.rawValue) at the head", place) {
            let account = try await world.store.read { [identity] in try $0.user(identity.account) }?.account
            let cursor = state.withLock { $0.cursor }
            return cursor?.level == account?.head && cursor?.number == account?.head
        }
    }

    func message(_ id: MessageID) -> ItemDocument? {
        state.withLock { $0.items.values.first { $0.id == id.description } }
    }

    // MARK: DeviceLink and Inbox

    func post(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

    var isWritable: Bool { state.withLock { $0.writable && $0.closed == nil } }

    func flush() {}

    func close(code: UInt16, reason: String) { state.withLock { $0.closed = $0.closed ?? code } }

    func write(_ bytes: [UInt8]) {
        let frame: ServerFrame
        do {
            frame = try StrictJSON.decode(ServerFrame.self, from: Data(bytes))
        } catch {
            Issue.record("a frame that cannot be read: \(String(decoding: bytes, as: UTF8.self))")
            return
        }
        let acknowledgement = state.withLock { state -> ClientFrame? in
            state.apply(frame)
            guard frame.changes != nil || frame.reset?.last == true else { return nil }
            guard state.acknowledges else {
                state.unacknowledged += frame.changes?.count ?? 0
                return nil
            }
            var answer = ClientFrame()
            answer.ack = state.cursor?.number
            answer.level = state.cursor?.level
            return answer
        }
        if let acknowledgement { send(acknowledgement) }
    }
}

extension TestDevice.Mirror {
    fileprivate mutating func apply(_ frame: ServerFrame) {
        frames += 1
        if let welcome = frame.welcome {
            self.welcome = welcome
            if cursor == nil { cursor = Cursor(epoch: welcome.epoch, number: 0, level: 0) }
            log.append("welcome")
        }
        if let digest = frame.digest {
            log.append("digest")
            digests.append(digest)
            for number in digest.gone {
                items[number] = nil
                history[number, default: []].append("gone by digest")
            }
            for number in digest.read { items[number]?.read = true }
            if digest.last { unread = digest.unread }
        }
        if let reset = frame.reset {
            log.append("reset")
            resets.append(reset.reason)
            if reset.epoch != cursor?.epoch { fetched = [:] }
            for var item in reset.items {
                note("listed", item)
                item.message = item.message ?? fetched[item.created]
                listing[item.created] = item
            }
            if reset.last {
                items = listing
                listing = [:]
                cursor = Cursor(epoch: reset.epoch, number: reset.asOf, level: reset.asOf)
            }
        }
        if let changes = frame.changes {
            log.append("changes")
            for item in changes {
                note("sent", item)
                merge(item)
            }
            if let upTo = frame.upTo { cursor?.number = upTo }
            if let level = frame.level { cursor?.level = level }
        }
        if let item = frame.item { take(answer: item) }
        if let typing = frame.typing { hints.append("typing \(typing.from?.description ?? "?")") }
        if let signal = frame.signal, case .text(let payload) = signal.payload {
            hints.append("signal \(signal.from?.description ?? "?") \(payload)")
        }
        if let ref = frame.ref { answers[ref] = frame }
    }

    private mutating func note(_ how: String, _ item: ItemDocument) {
        let states = item.receivers?.map { "\($0.state)" } ?? []
        let what = item.message != nil ? "whole" : item.notice != nil ? "notice" : "state"
        history[item.created, default: []].append(
            "\(how) at \(item.changed) \(what) \(item.deliver.map { "\($0)" } ?? "-") read \(item.read ?? false) \(states)"
        )
    }

    /// What was asked for may have been overtaken by a change, or by the page of a listing: then only its content is news.
    private mutating func take(answer: ItemDocument) {
        note("asked for", answer)
        fetched[answer.created] = answer.message
        if let content = answer.message { listing[answer.created]?.message = content }
        guard let known = items[answer.created], known.changed > answer.changed else { return merge(answer) }
        var item = known
        item.message = answer.message
        item.notice = answer.notice
        merge(item)
    }

    private mutating func merge(_ item: ItemDocument) {
        if item.gone == true {
            items[item.created] = nil
            return
        }
        var item = item
        if item.message != nil || item.notice != nil { contents[item.created, default: 0] += 1 }
        if let known = items[item.created] {
            // What a state leaves out stays as it was.
            if item.message == nil { item.message = known.message }
            if item.notice == nil { item.notice = known.notice }
            if item.receivers == nil { item.receivers = known.receivers }
        }
        items[item.created] = item
    }
}
