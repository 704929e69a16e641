import CPIM
import ClientWire
import Logging
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP
import SIPTransport
import SessionCore
import Store

/// One SIP phone that is registered: its bindings, its stream of the mailbox, and what is on its way to it.
///
/// `@unchecked Sendable`: touched on the gateway's loop alone, where its session calls it too.
final class Phone: DeviceLink, @unchecked Sendable {
    let context: GatewayContext
    let identity: DeviceIdentity
    let user: String
    private(set) var record: RegistrarRecord
    private(set) var address: Address
    /// All addresses of the account, as of the last REGISTER.
    var addresses: [Address]
    private(set) var capabilities: Capabilities
    private(set) var kind: DeviceKind
    /// What each binding's REGISTER came over, by the name that the bindings have of it.
    private(set) var flows: [String: Flow] = [:]
    /// Messages of this phone that wait for their commit.
    var messagesInHand = 0
    let subscriptions: Subscriptions
    /// The phones of its account on this gateway.
    let directory: PhoneDirectory
    /// Its live conversations.
    private(set) lazy var talks = Talks(context, identity, phone: self)
    private var session: DeviceSession?
    private var reading: StreamReading
    private var queue: PhoneQueue
    private var waiting: Scheduled<Void>?
    private let tag = RandomText.token(12)
    private var lastSequence: UInt32 = 0
    /// A transaction of an earlier stream says nothing to the one that came after it.
    private var generation = 0
    private var reported = RecentReports()

    init(
        _ context: GatewayContext,
        _ phone: PhoneRecord,
        addressOfRecord: SIPURI,
        address: Address,
        directory: PhoneDirectory
    ) {
        self.context = context
        self.address = address
        addresses = phone.addresses
        identity = phone.credential.identity
        user = phone.credential.user
        capabilities = phone.device.capabilities
        kind = phone.device.kind
        record = RegistrarRecord(addressOfRecord: addressOfRecord)
        let limits = context.limits
        self.directory = directory
        subscriptions = Subscriptions(context, identity, directory)
        reading = StreamReading(resetMessages: limits.resetMessages)
        queue = PhoneQueue(
            firstWaitSeconds: limits.retryFirstSeconds,
            longestWaitSeconds: limits.retryLongestSeconds
        )
        reported = RecentReports(capacity: limits.reportsRemembered)
    }

    /// What it can do in a call.
    var abilities: Set<MediumKind> {
        Set([MediumKind.audio, .video].filter { capabilities.features.contains($0.rawValue) })
    }

    /// It takes what is said in conversations over MSRP, and the gateway has a door for that.
    var takesTexts: Bool {
        guard capabilities.features.contains(PhoneAbilities.msrp), let media = context.texts,
            let flow = target(now: .now())?.flow
        else { return false }
        return media.serves(isSecure: flow.transport.isSecure)
    }

    /// What it rings for.
    var rings: Set<MediumKind> { takesTexts ? abilities.union([.text]) : abilities }

    /// Nothing is left of it: no registration, and no call that goes on without one for a while.
    var isGone: Bool { record.bindings.isEmpty && !talks.holdsCalls }

    var takesCPIM: Bool { capabilities.features.contains(PhoneAbilities.cpim) }
    var isOpen: Bool { session != nil }

    // MARK: Registration

    /// A REGISTER that is authenticated. One credential is one device: another instance takes the place of the first.
    func register(
        _ request: SIPMessage,
        _ policy: RegistrarRecord.Policy,
        on flow: Flow,
        now: NIODeadline
    ) -> SIPMessage {
        let contacts = (try? request.contacts().addresses) ?? []
        var next = record
        if let instance = contacts.first(where: { $0.instance != nil })?.instance {
            let own = record.bindings.filter { $0.instance == instance }
            next = RegistrarRecord(addressOfRecord: record.addressOfRecord, bindings: own)
        } else if !contacts.isEmpty {
            // Without an instance a new address is the same phone after a restart or a change of networks.
            let own = record.bindings.filter { binding in
                contacts.contains { $0.uri.isEquivalent(to: binding.contact.uri) }
            }
            next = RegistrarRecord(addressOfRecord: record.addressOfRecord, bindings: own)
        }
        let arrival = RegistrarRecord.Arrival(
            now: now,
            flow: flow.description,
            temporaryGRUU: RandomText.token(24)
        )
        switch next.register(request, policy: policy, arrival: arrival) {
        case .rejected(let response): return response
        case .accepted(let response, _):
            record = next
            flows = flows.filter { name, _ in record.bindings.contains { $0.flow == name } }
            if record.bindings.contains(where: { $0.flow == flow.description }) { flows[flow.description] = flow }
            return response
        }
    }

    /// Bindings that ran out.
    func expire(now: NIODeadline) {
        guard !record.expire(now: now).isEmpty else { return }
        if record.bindings.isEmpty { leave(endsLease: true) }
    }

    /// A connection is gone.
    func flowFailed(_ flow: Flow) {
        guard flows.removeValue(forKey: flow.description) != nil else { return }
        _ = record.flowFailed(flow.description)
        if record.bindings.isEmpty { leave(endsLease: false) }
    }

    /// After a REGISTER was answered: the stream opens, or goes on, or ends.
    func registered(address: Address, features: PhoneFeatures?, now: NIODeadline) {
        self.address = address
        guard !record.bindings.isEmpty else { return leave(endsLease: true) }
        if let features { take(features) }
        let seconds = record.bindings.map { $0.remaining(at: now) }.max() ?? 0
        let leaseEnds = context.service.now.advanced(by: Int64(seconds) * 1000)
        if let session {
            session.renew(leaseEnds: leaseEnds)
            perform(queue.timeReached())
        } else {
            open(leaseEnds: leaseEnds)
        }
    }

    private func open(leaseEnds: MessagingCore.Timestamp) {
        generation += 1
        queue.clear()
        reading = StreamReading(resetMessages: context.limits.resetMessages)
        session = context.service.openSession(
            of: identity,
            link: self,
            inbox: context.inbox,
            window: WindowLimits(items: context.limits.windowItems, bytes: context.limits.windowBytes),
            leaseEnds: leaseEnds
        )
        talks.begin()
    }

    /// It registers no more.
    func leave(endsLease: Bool) {
        stop()
        if endsLease { context.service.setLease(identity, endsAt: context.service.now) }
    }

    private func stop() {
        generation += 1
        waiting?.cancel()
        waiting = nil
        queue.clear()
        subscriptions.stop()
        let old = session
        session = nil
        old?.closed()
    }

    private func take(_ features: PhoneFeatures) {
        guard features.capabilities != capabilities || (features.kind ?? kind) != kind else { return }
        capabilities = features.capabilities
        kind = features.kind ?? kind
        var change = DeviceChange()
        change.capabilities = capabilities
        change.kind = kind
        changeDevice(change)
    }

    /// The phone showed that it takes CPIM, or that it does not.
    func learn(takesCPIM: Bool) {
        guard takesCPIM != self.takesCPIM else { return }
        capabilities.features.removeAll { $0 == PhoneAbilities.cpim }
        if takesCPIM { capabilities.features.append(PhoneAbilities.cpim) }
        var change = DeviceChange()
        change.capabilities = capabilities
        changeDevice(change)
    }

    /// What it describes, it can do.
    func learn(_ description: SessionDescription) {
        if let change = learnt(description) { changeDevice(change) }
    }

    /// As above, for who sees to it that the change is known before something else is asked; nil when it is.
    func learnt(_ description: SessionDescription) -> DeviceChange? {
        let new = description.kinds.filter { !abilities.contains($0) }
        guard !new.isEmpty else { return nil }
        capabilities.features += new.map(\.rawValue)
        var change = DeviceChange()
        change.capabilities = capabilities
        return change
    }

    private func changeDevice(_ change: DeviceChange) {
        Task { [service = context.service, identity, logger = context.logger] in
            do {
                _ = try await service.changeDevice(identity, identity.device, change)
            } catch {
                logger.warning("noting what a phone can do failed", metadata: ["error": "\(type(of: error))"])
            }
        }
    }

    /// About once a second.
    func tick(now: NIODeadline) {
        expire(now: now)
        session?.tick()
        subscriptions.tick(now: now)
        talks.tick(now: now)
    }

    // MARK: The stream

    var isWritable: Bool { session != nil }

    func flush() {}

    func close(code: UInt16, reason: String) {
        context.logger.debug("a phone's stream ended", metadata: ["code": "\(code)"])
        guard session != nil else { return }
        // The session ends itself behind this call. Revoked: nothing leads here any more.
        session = nil
        if code == CloseCode.unauthenticated { record = RegistrarRecord(addressOfRecord: record.addressOfRecord) }
        stop()
    }

    func write(_ frame: [UInt8]) {
        let found: StreamReading.Reading
        do {
            let frame = try context.decode(frame)
            found = reading.read(frame, start: session?.start ?? .max, now: context.service.now)
        } catch {
            context.logger.error("a frame for a phone cannot be read", metadata: ["error": "\(type(of: error))"])
            return
        }
        for number in found.withdrawn { queue.withdraw(number) }
        for package in found.touched { subscriptions.changed(package) }
        // Behind this turn: the session notes what it wrote only when the write returns.
        let generation = generation
        if !found.steps.isEmpty || !found.sessions.isEmpty || found.signal != nil || found.typing != nil {
            context.inbox.post { [self] in
                guard generation == self.generation else { return }
                take(found)
            }
        }
        for item in found.reported { report(item, generation) }
    }

    /// Words about live conversations go before the mark of what they are about: they are said before that counts as
    /// handed out.
    private func take(_ found: StreamReading.Reading) {
        let (words, withdrawn) = talks.take(found.sessions)
        for id in withdrawn { queue.withdraw(id) }
        if let signal = found.signal { talks.take(signal) }
        if let typing = found.typing { talks.typed(typing) }
        var steps = talks.fresh(found.steps)
        let place = if case .mark? = steps.last { steps.count - 1 } else { steps.count }
        steps.insert(contentsOf: words.map { .word($0) }, at: place)
        hand(steps)
    }

    /// What the phone is to get next.
    func hand(_ steps: [PhoneQueue.Step]) {
        guard isOpen, !steps.isEmpty else { return }
        perform(queue.append(steps, takesCPIM: takesCPIM))
    }

    /// Tells the phone what became of a message, if it was written there.
    private func report(_ item: ItemDocument, _ generation: Int) {
        guard takesCPIM || takesTexts, let id = try? MessageID(item.id) else { return }
        let news = (item.receivers ?? []).compactMap { receiver -> PhoneReport? in
            guard let state = Disposition.allCases.first(where: { $0.name == receiver.state }), state != .pending
            else { return nil }
            let report = PhoneReport(
                id: id,
                receiver: receiver.address,
                state: state,
                since: receiver.since,
                session: talks.place(of: id)
            )
            return reported.insert(report) ? report : nil
        }
        guard !news.isEmpty else { return }
        Task { [service = context.service, inbox = context.inbox, identity, self] in
            guard (try? await service.wasSent(id, from: identity)) ?? false else { return }
            inbox.post {
                guard generation == self.generation else { return }
                self.perform(self.queue.append(news.map { .report($0) }, takesCPIM: self.takesCPIM))
            }
        }
    }

    private func perform(_ actions: [PhoneQueue.Action]) {
        for action in actions {
            switch action {
            case .send(let step, let form): send(step, form)
            case .acknowledge(let number, let level): session?.acknowledge(upTo: number, level: level)
            case .reached(let session, let generation, let ordinal):
                talks.step(session, LegStep(generation, .progress, position: ordinal))
            case .took(let message): if !message.isOwn { session?.took(created: message.created) }
            case .passedOver(let step):
                context.logger.notice("a phone takes this in no form", metadata: ["what": "\(step.name)"])
            case .wait(let seconds): wait(seconds)
            }
        }
    }

    /// What keeps the phone from getting something may have changed.
    func resume() { context.inbox.post { self.perform(self.queue.timeReached()) } }

    private func wait(_ seconds: Int64) {
        waiting?.cancel()
        waiting = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(seconds)) { [weak self] in
            guard let self else { return }
            self.perform(self.queue.timeReached())
        }
    }

    // MARK: Sending

    /// The binding to use, and its flow.
    func target(now: NIODeadline) -> (binding: Binding, flow: Flow)? {
        for binding in record.targets(for: record.addressOfRecord, now: now) {
            for candidate in [binding] + record.alternatives(to: binding, now: now) {
                if let flow = candidate.flow.flatMap({ flows[$0] }), context.stack?.isOpen(flow) ?? false {
                    return (candidate, flow)
                }
            }
        }
        return nil
    }

    private func send(_ step: PhoneQueue.Step, _ form: PhoneQueue.Form) {
        switch talks.way(step.session) {
        case .message: sendMessage(step, form)
        case .later: finished(.notNow(retryAfterSeconds: nil), generation)
        case .path(let texts):
            guard let said = said(step, form) else { return finished(.taken, generation) }
            let generation = generation
            texts.send(said) { [weak self] in self?.finished($0, generation) }
        }
    }

    private func sendMessage(_ step: PhoneQueue.Step, _ form: PhoneQueue.Form) {
        // What its own user said is not told by MESSAGE.
        if case .message(let message) = step, message.isOwn { return finished(.taken, generation) }
        if case .report = step, !takesCPIM { return finished(.taken, generation) }
        guard let (binding, flow) = target(now: .now()), let stack = context.stack else {
            return finished(.notNow(retryAfterSeconds: nil), generation)
        }
        let request: SIPMessage
        switch step {
        case .message(let message): request = make(message, form, binding)
        case .report(let report): request = make(report, binding)
        case .word(let word): request = make(word, form, binding)
        case .mark, .reached: return finished(.taken, generation)
        }
        // A phone that could have had it over MSRP was promised more than fits here.
        if flow.transport == .udp, form != .notice, request.bodyLength > PhoneRequests.datagramBodyBytes {
            return finished(.tooLarge, generation)
        }
        let generation = generation
        stack.send(request, to: .flow(flow)) { [weak self] _, event in
            guard let self, let outcome = PhoneQueue.Outcome(event) else { return }
            if outcome == .unknownType, form == .cpim { self.learn(takesCPIM: false) }
            self.finished(outcome, generation)
        }
    }

    private func finished(_ outcome: PhoneQueue.Outcome, _ generation: Int) {
        guard generation == self.generation else { return }
        perform(queue.finished(outcome, takesCPIM: takesCPIM))
    }

    private func make(_ message: PhoneMessage, _ form: PhoneQueue.Form, _ binding: Binding) -> SIPMessage {
        var request = PhoneRequests.message(
            to: binding,
            from: message.from,
            own: address,
            callID: CallIDs.callID(of: message.id),
            sequence: sequence(),
            tag: tag
        )
        request.append(.date, message.date.sipDate)
        let body = PhoneRequests.body(
            message,
            form,
            own: address,
            link: context.service.link(identity, to: message.id)
        )
        request.setBody(ByteBuffer(bytes: body.bytes), contentType: body.type)
        return request
    }

    /// What goes over MSRP: always in its envelope. Nil for what is no part of a conversation.
    private func said(_ step: PhoneQueue.Step, _ form: PhoneQueue.Form) -> CPIMMessage? {
        switch step {
        case .report(let report): return PhoneRequests.report(report, own: address)
        case .message(var message):
            if form == .notice {
                message.text = PhoneRequests.notice(message, link: context.service.link(identity, to: message.id))
                message.subject = nil
            }
            let document = message.session.flatMap { talks.documents[$0.id] }
            let others = (document?.participants ?? []).filter { $0 != message.from }
            return PhoneRequests.cpim(message, own: message.isOwn ? others.first ?? address : address)
        case .word, .mark, .reached: return nil
        }
    }

    private func make(_ report: PhoneReport, _ binding: Binding) -> SIPMessage {
        var request = PhoneRequests.message(
            to: binding,
            from: report.receiver,
            own: address,
            callID: PhoneRequests.reportID(report),
            sequence: sequence(),
            tag: tag
        )
        let body = PhoneRequests.report(report, own: address).bytes
        request.setBody(ByteBuffer(bytes: body), contentType: "message/cpim")
        return request
    }

    private func make(_ word: PhoneWord, _ form: PhoneQueue.Form, _ binding: Binding) -> SIPMessage {
        var request = PhoneRequests.message(
            to: binding,
            from: word.from,
            own: address,
            callID: word.callID,
            sequence: sequence(),
            tag: tag
        )
        let body = PhoneRequests.body(word, form, own: address, now: context.service.now)
        request.setBody(ByteBuffer(bytes: body.bytes), contentType: body.type)
        return request
    }

    /// Seconds, and more within one second: higher with every attempt, after a restart of the server too. The same
    /// number again would be taken for a copy that went another way (RFC 3261, section 8.2.2.2).
    private func sequence() -> UInt32 {
        let seconds = UInt32(truncatingIfNeeded: context.service.now.rawValue / 1000) & UInt32(Int32.max)
        lastSequence = max(lastSequence + 1, seconds) & UInt32(Int32.max)
        return lastSequence
    }
}

extension PhoneQueue.Step {
    fileprivate var name: String {
        switch self {
        case .message: "message"
        case .report: "report"
        case .word: "word"
        case .mark, .reached: "mark"
        }
    }

    /// The live conversation that it is a part of.
    fileprivate var session: SessionID? {
        switch self {
        case .message(let message): message.session?.id
        case .report(let report): report.session
        case .word, .mark, .reached: nil
        }
    }
}

extension PhoneQueue.Outcome {
    /// What an event of a MESSAGE's transaction means; nil for one that decides nothing yet.
    init?(_ event: ClientTransaction.Event) {
        switch event {
        case .timedOut, .transportFailed: self = .notNow(retryAfterSeconds: nil)
        case .response(let response):
            guard let status = response.status, status.isFinal else { return nil }
            let retry = (try? response.value(.retryAfter, as: RetryAfter.self))?.seconds
            switch status.rawValue {
            case 200..<300: self = .taken
            case 406, 415, 488: self = .unknownType
            case 413, 513: self = .tooLarge
            case 408, 430, 480, 486, 491, 500..<600, 600, 603: self = .notNow(retryAfterSeconds: retry.map(Int64.init))
            default: self = .refused
            }
        }
    }
}

/// Reports that were handed out lately: of each receiver the highest, so that none is told twice.
struct RecentReports: Sendable {
    private struct Key: Hashable {
        var id: MessageID
        var receiver: Address
    }

    private var known: [Key: Disposition] = [:]
    private var order: [Key] = []
    private let capacity: Int

    init(capacity: Int = 1) { self.capacity = max(1, capacity) }

    /// - Returns: whether it is news.
    mutating func insert(_ report: PhoneReport) -> Bool {
        let key = Key(id: report.id, receiver: report.receiver)
        if let known = known[key], known >= report.state { return false }
        if known.updateValue(report.state, forKey: key) == nil { order.append(key) }
        if order.count > capacity { known[order.removeFirst()] = nil }
        return true
    }
}
