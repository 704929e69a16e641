import Logging
import MessagingCore
import SessionCore
import Store
import Synchronization

/// When the next session must be looked at, for the worker that does.
final class SessionAlarm: Sendable {
    private let next = Atomic<Int64>(.max)
    private let signal = Signal()

    /// Something is due at `time`: the worker is woken if it would sleep beyond it.
    func set(_ time: Timestamp) {
        if time.rawValue < next.load(ordering: .acquiring) { signal.raise() }
    }

    /// Sleeps until `time`, or until something is due earlier.
    func wait(until time: Timestamp?, now: Timestamp) async {
        let sleep = max(1, min(time.map { $0.milliseconds(since: now) } ?? .max, Self.longestMilliseconds))
        next.store(now.advanced(by: sleep).rawValue, ordering: .releasing)
        await signal.wait(milliseconds: sleep)
        next.store(.max, ordering: .releasing)
    }

    /// A wall clock can be set: nothing sleeps longer than this.
    private static let longestMilliseconds: Int64 = 60_000
}

extension MessagingService {
    private static let dueAtOnce = 100
    /// How long what could not be looked at is left alone.
    private static let putOffMilliseconds: Int64 = 60_000

    /// Ends what nobody answered, closes legs that drained, and lets go of users who stay away, until the task is
    /// cancelled.
    public func runSessions() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.missConnections() }
            group.addTask { await self.runSessionTimers() }
        }
    }

    private func runSessionTimers() async {
        while !Task.isCancelled {
            do {
                try await tickSessions()
                let next = try await read { try $0.sessions(dueBy: .distantFuture, limit: 1).first?.due }
                await sessionAlarm.wait(until: next, now: clock())
            } catch {
                logger.error("sessions could not be looked at", metadata: ["error": "\(type(of: error))"])
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    func sessionsAreDue(at time: Timestamp) { sessionAlarm.set(time) }

    /// One round of everything that is due.
    public func tickSessions() async throws {
        while true {
            let now = clock()
            let due = try await read { try $0.sessions(dueBy: now, limit: Self.dueAtOnce) }
            for record in due { try await tick(record) }
            guard due.count == Self.dueAtOnce else { return }
        }
    }

    /// What cannot be looked at, since it or another side of it cannot be read, is put off, so that it does not hold up all that
    /// is due after it.
    private func tick(_ record: SessionRecord) async throws {
        let key = SessionKey(account: record.account, session: record.session, role: record.role)
        do {
            try await perform { work in try self.tick(work, key) }
        } catch let refusal as Refusal where refusal.code == .internalError {
            logger.error(
                "a session could not be looked at",
                metadata: ["account": "\(key.account.rawValue)", "session": "\(key.session)"]
            )
            try await perform { work in
                guard var later = try work.transaction.session(key.account, key.session, key.role), later == record
                else {
                    return
                }
                later.due = work.now.advanced(by: Self.putOffMilliseconds)
                try work.transaction.apply(.session(later))
            }
        }
    }

    private func tick(_ work: Work, _ key: SessionKey) throws {
        guard let side = try work.side(key) else { return }
        if side.isOver, let due = side.due, due <= work.now { return try forget(work, key) }
        switch side {
        case .host(let host):
            let turn = SessionTurn(self, work, key.session, host.details)
            try turn.changeHost { $0.machine.clock(work.now) }
            try turn.run()
        case .part(let part):
            let turn = SessionTurn(self, work, key.session, part.details)
            try turn.change(key.account) { $0.machine.clock(work.now) }
        }
    }

    /// It has been over for long: its texts stay in the conversation.
    private func forget(_ work: Work, _ key: SessionKey) throws {
        if key.role == .participant {
            var user = try work.user(key.account)
            _ = try work.removeDocument(&user, .session, key.session.description)
            work.put(user)
        }
        try work.removeSide(key)
    }

    // MARK: Who is there

    /// A device connected, or its connection ended: a user with no leg connected for long has left.
    func attendance(of identity: DeviceIdentity) {
        guard talking.withLock({ $0.contains(identity.account) }) else { return }
        Task { [logger] in
            do {
                try await attend(identity.account)
            } catch {
                logger.error("noting who is there failed", metadata: ["error": "\(type(of: error))"])
            }
        }
    }

    private func attend(_ account: AccountID) async throws {
        let records = try await read { try $0.sessions(of: account, limit: SessionLimits.sessionsPerUser) }
        if records.isEmpty { talking.withLock { _ = $0.remove(account) } }
        for record in records {
            try await perform { [hub] work in
                guard let part = try work.part(account, record.session), part.machine.phase == .present else { return }
                let turn = SessionTurn(self, work, record.session, part.details)
                let connected = hub.connectedDevices(account)
                let isAttended = part.machine.legs.live.contains { connected.contains($0.device) }
                try turn.change(account) { part in
                    part.machine.attended(
                        isAttended,
                        graceMilliseconds: self.configuration.sessionGraceMilliseconds,
                        now: work.now
                    )
                    return []
                }
            }
        }
    }

    /// After a start nobody is connected yet: that is noted of everybody, again until it could be. Timers do not wait for it.
    private func missConnections() async {
        var pause = Duration.seconds(1)
        while !Task.isCancelled {
            do {
                return try await missConnectionsOnce()
            } catch {
                logger.error("sessions could not be listed", metadata: ["error": "\(type(of: error))"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(60))
            }
        }
    }

    private func missConnectionsOnce() async throws {
        var position: (AccountID, SessionID)?
        while true {
            let after = position
            let open = try await read { try $0.openSessions(after: after, limit: Self.dueAtOnce) }
            for record in open {
                talking.withLock { _ = $0.insert(record.account) }
                try await attend(record.account)
            }
            guard let last = open.last, open.count == Self.dueAtOnce else { return }
            position = (last.account, last.session)
        }
    }
}
