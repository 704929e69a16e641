import MessagingCore
import Store
import Synchronization

/// Runs work where a connection lives; `post` may be called from any thread.
public protocol Inbox: AnyObject, Sendable {
    /// Queues work; the wake-up is shared by all that is queued before it runs.
    func post(_ work: @escaping @Sendable () -> Void)
}

/// What a session writes to; called only in its inbox's context.
public protocol DeviceLink: AnyObject, Sendable {
    /// Whether the peer still takes bytes.
    var isWritable: Bool { get }
    /// Queues one text frame without flushing.
    func write(_ frame: [UInt8])
    /// Sends what was queued.
    func flush()
    /// Ends the connection with a code of RFC 6455, section 7.4.
    func close(code: UInt16, reason: String)
}

/// Who is connected here, by account: hints only, the store has the truth.
final class Hub: Sendable {
    private struct Entry {
        let inbox: any Inbox
        let session: DeviceSession
        let device: DeviceID
    }

    private let entries = Mutex<[AccountID: [Entry]]>([:])
    let connections = Atomic<Int>(0)

    /// Adds a session; one that the same device had before is told to go.
    func attach(_ identity: DeviceIdentity, _ session: DeviceSession, inbox: any Inbox) {
        let replaced = entries.withLock { entries in
            let old = entries[identity.account]?.filter { $0.device == identity.device } ?? []
            entries[identity.account, default: []].removeAll { $0.device == identity.device }
            entries[identity.account, default: []].append(
                Entry(inbox: inbox, session: session, device: identity.device)
            )
            return old
        }
        connections.add(1 - replaced.count, ordering: .relaxed)
        for entry in replaced { entry.inbox.post { entry.session.replaced() } }
    }

    /// Removes a session, unless another of its device has taken its place.
    func detach(_ identity: DeviceIdentity, _ session: DeviceSession) {
        let removed = entries.withLock { entries in
            guard var list = entries[identity.account], let index = list.firstIndex(where: { $0.session === session })
            else { return false }
            list.remove(at: index)
            entries[identity.account] = list.isEmpty ? nil : list
            return true
        }
        if removed { connections.subtract(1, ordering: .relaxed) }
    }

    /// Ends the sessions of a device that was revoked.
    func revoke(_ account: AccountID, _ device: DeviceID) {
        for entry in entries(of: account) where entry.device == device { entry.inbox.post { entry.session.revoked() } }
    }

    /// Ends the sessions of an account that is suspended.
    func suspend(_ account: AccountID) {
        for entry in entries(of: account) { entry.inbox.post { entry.session.suspended() } }
    }

    private func entries(of account: AccountID) -> [Entry] { entries.withLock { $0[account] ?? [] } }

    /// Sends a frame that is not stored to some devices of an account, if they are connected and keep up.
    func send(_ frame: [UInt8], to devices: [DeviceID], of account: AccountID) {
        let some = entries.withLock { entries in
            (entries[account] ?? []).filter { devices.contains($0.device) }
        }
        for entry in some { entry.inbox.post { entry.session.hint(frame) } }
    }

    func connectedDevices(_ account: AccountID) -> Set<DeviceID> {
        entries.withLock { Set(($0[account] ?? []).map(\.device)) }
    }

    /// Tells every connected device of what a batch changed: one post for each inbox and batch.
    func batchEnded(_ changes: [UserChange]) {
        guard !changes.isEmpty else { return }
        struct Delivery: Sendable {
            let inbox: any Inbox
            var work: [(UserChange, [DeviceSession])]
        }
        var deliveries: [ObjectIdentifier: Delivery] = [:]
        entries.withLock { entries in
            for change in changes {
                guard let list = entries[change.account] else { continue }
                var sessions: [ObjectIdentifier: (any Inbox, [DeviceSession])] = [:]
                for entry in list {
                    sessions[ObjectIdentifier(entry.inbox), default: (entry.inbox, [])].1.append(entry.session)
                }
                for (id, (inbox, sessions)) in sessions {
                    deliveries[id, default: Delivery(inbox: inbox, work: [])].work.append((change, sessions))
                }
            }
        }
        for delivery in deliveries.values {
            delivery.inbox.post { [work = delivery.work] in
                for (change, sessions) in work {
                    let rendering = ChangeRendering(change)
                    for session in sessions { session.changed(change, rendering) }
                }
            }
        }
    }
}
