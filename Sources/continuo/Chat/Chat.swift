import ClientWire
import ContinuoClient
import Foundation
import MessagingCore
import SessionCore

/// One terminal in live conversations: takes what the person types and what the mailbox brings, and prints.
///
/// Texts are printed in the order of their ordinals and each once, whichever way they come: with the mailbox, with the
/// answer to one's own, or as history.
actor Chat {
    let client: ContinuoClient
    let stream: DeviceSession
    let own: DeviceID
    let printer: ChatPrinter
    /// The conversation that lines are said in.
    var current: SessionID?
    var sessions: [SessionID: SessionDocument] = [:]
    private(set) var labels: [DeviceID: String] = [:]
    private var isUpToDate = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// Texts that wait for one before them, of the current conversation.
    private var texts: [Ordinal: ItemDocument] = [:]
    /// The last text that was printed of each conversation: it only rises.
    private var cursors: [SessionID: Ordinal] = [:]
    /// Legs of this device that are being seen to.
    private var joining: Set<LegName> = []
    private var leaving: Set<LegName> = []

    private struct LegName: Hashable {
        var session: SessionID
        var generation: Generation
    }

    init(client: ContinuoClient, stream: DeviceSession, own: DeviceID, json: Bool) {
        self.client = client
        self.stream = stream
        self.own = own
        printer = ChatPrinter(json: json)
    }

    /// Returns once the mailbox has come: what is typed is about what is there.
    func ready() async throws {
        guard !isUpToDate else { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    // MARK: From the mailbox

    func take(_ event: SessionEvent) async throws {
        switch event {
        case .connected: break
        case .disconnected(let reason, _): printer.note("disconnected: \(reason)")
        case .upToDate:
            guard !isUpToDate else { return try await resume() }
            isUpToDate = true
            try await begin()
            printer.ready()
            for one in waiting { one.resume() }
            waiting = []
        case .typing(let hint): if hint.session == current { printer.typing(hint) }
        case .signal: break
        case .mailbox(.arrived(let item)), .mailbox(.changed(let item)): try await take(item)
        case .mailbox(.gone(let item)): if item.kind == "session" { sessions[SessionID(stored: item.id)] = nil }
        case .mailbox(.relisted): break
        }
    }

    private func begin() async throws {
        for item in await stream.mailbox.items.values { try await learn(item) }
        for session in sessions.values where session.state != .over { printer.session(session.summary(labels)) }
        if let mine = sessions.values.first(where: { $0.state == .open && $0.leg(own) != nil }) {
            try await open(mine.id)
        }
    }

    private func learn(_ item: ItemDocument) async throws {
        if item.kind == "device", let value = item.value, case .object(let fields) = value,
            case .text(let label)? = fields["label"], let number = Int32(item.id)
        {
            labels[DeviceID(rawValue: number)] = label
        }
        if let session = item.session { sessions[session.id] = session }
    }

    private func take(_ item: ItemDocument) async throws {
        let before = item.session.flatMap { sessions[$0.id] }
        try await learn(item)
        guard isUpToDate else { return }
        if let session = item.session { return try await changed(before, session) }
        // What is said while the conversation is on other devices comes with it, or is found in the mailbox.
        guard let place = item.message?.session, place.id == current, sessions[place.id]?.isHere(own) == true else {
            return
        }
        take(item, place.ordinal)
    }

    private func take(_ item: ItemDocument, _ ordinal: Ordinal) {
        guard let current, var printed = cursors[current], ordinal > printed else { return }
        texts[ordinal] = item
        while let next = texts.removeValue(forKey: printed + 1) {
            printed += 1
            if let message = next.message { printer.said(message, printed) }
        }
        cursors[current] = printed
    }

    private func changed(_ before: SessionDocument?, _ now: SessionDocument) async throws {
        if now.request?.alerting.contains(own) == true, before?.request?.alerting.contains(own) != true {
            printer.request(now)
            if current == nil || sessions[current ?? now.id]?.state == .over { current = now.id }
        }
        if let request = now.request, request.outcome != .waiting, before?.request?.outcome == .waiting {
            printer.outcome(now, labels)
            if now.request?.outcome == .accepted, now.request?.device != own, current == now.id { current = nil }
        }
        guard current == now.id || now.leg(own)?.isJoining == true else { return }
        if before?.state != now.state {
            printer.state(now)
        } else if before?.participants != now.participants {
            printer.participants(now)
        }
        if let leg = now.leg(own) { try await follow(leg, in: now) }
        guard let before else { return }
        if before.media != now.media || before.pending != now.pending { printer.media(now.mediaLines(labels)) }
    }

    /// After a cut: what this device was about to do is done, and what it missed is printed.
    private func resume() async throws {
        for session in sessions.values where session.state != .over {
            if let leg = session.leg(own) { try await follow(leg, in: session) }
        }
        if let current, sessions[current]?.isHere(own) == true { try await fetch(current) }
    }

    /// Does what a device does with its own leg. What a cut of the connection undoes is done again after it.
    private func follow(_ leg: SessionDocument.Leg, in session: SessionDocument) async throws {
        let name = LegName(session: session.id, generation: leg.generation)
        do {
            switch leg.state {
            case .preparing, .replaying:
                guard joining.insert(name).inserted else { return }
                printer.note("the conversation with \(session.with) comes here")
                let history = try await client.join(session.id, under: leg.generation)
                try await open(session.id, with: history)
            case .draining:
                guard leaving.insert(name).inserted else { return }
                let place = leg.to.flatMap { labels[$0] } ?? "another device"
                printer.note("moved to \(printable(place))")
                _ = try await client.step(session.id, LegStep(leg.generation, .closed))
            case .live: if cursors[session.id] == nil { try await open(session.id) }
            }
        } catch let error as ClientError {
            joining.remove(name)
            leaving.remove(name)
            guard !error.isTemporary else { throw error }
            printer.failure("\(error)")
        }
    }

    /// Turns to a conversation, and prints what this device has of it.
    func open(_ id: SessionID, with history: [ItemDocument]? = nil) async throws {
        let session = try await client.session(id)
        sessions[id] = session
        if current != id { texts = [:] }
        current = id
        cursors[id] = cursors[id] ?? session.leg(own)?.start ?? 0
        for item in history ?? [] { if let place = item.message?.session { take(item, place.ordinal) } }
        try await fetch(id)
    }

    /// Gets what was not printed yet.
    func fetch(_ id: SessionID) async throws {
        while current == id, let printed = cursors[id] {
            let page = try await client.texts(id, after: printed)
            for item in page.texts {
                guard let place = item.message?.session else { continue }
                // What is missing in between was deleted.
                cursors[id] = max(cursors[id] ?? 0, place.ordinal - 1)
                take(item, place.ordinal)
            }
            guard let now = cursors[id], now > printed, now < page.head else { return }
        }
    }
}

extension SessionDocument {
    /// A device's newest leg.
    func leg(_ device: DeviceID) -> Leg? { legs.last { $0.device == device } }

    /// Whether texts of the session are this device's own to show.
    func isHere(_ device: DeviceID) -> Bool { leg(device).map { $0.state == .live || $0.state == .replaying } ?? false }
}

extension SessionDocument.Leg {
    var isJoining: Bool { state == .preparing || state == .replaying }
}
