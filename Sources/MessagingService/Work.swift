import ClientWire
import Dispatch
import MessagingCore
import Store
import Synchronization

/// One command inside the writer's transaction: what it loads, changes and tells.
///
/// Touched only on the writer's thread. Nothing leaves it unless the job succeeds; nothing leaves the cache's overlay
/// unless the batch commits.
final class Work {
    let transaction: any WriteTransaction
    let now: Timestamp
    let cache: UserCache
    /// Sides of sessions that were looked at, and how they are stored.
    var sides: [SessionKey: SessionSide] = [:]
    var storedSides: [SessionKey: SessionSide] = [:]
    /// When the first of them must be looked at again.
    var earliestDue: Timestamp?
    /// Something was entered into the outbox.
    var hasQueued = false
    private var staged: [AccountID: UserState] = [:]
    private var bases: [AccountID: ChangeNumber] = [:]
    private var changed: [AccountID: [ChangedItem]] = [:]
    private var woken: Set<AccountID> = []

    init(transaction: any WriteTransaction, cache: UserCache, now: Timestamp) {
        self.transaction = transaction
        self.cache = cache
        self.now = now
    }

    /// The user as of this moment of the transaction.
    /// - Throws: ``Refusal`` with code `not-found`.
    func user(_ id: AccountID) throws -> UserState {
        if let user = staged[id] { return user }
        let user: UserState
        if let cached = cache.user(id) {
            user = cached
        } else if let loaded = try transaction.user(id) {
            user = loaded
            cache.remember(loaded)
        } else {
            throw Refusal(.notFound, "no such account")
        }
        bases[id] = user.account.head
        staged[id] = user
        return user
    }

    /// Whose address it is; remembered with the users.
    func account(holding address: Address) throws -> AccountID? {
        if let known = cache.account(holding: address) { return known }
        guard let id = try transaction.account(holding: address) else { return nil }
        cache.remember(address, id)
        return id
    }

    /// Takes a user's new state; written once when the command ends.
    func put(_ user: UserState) { staged[user.account.id] = user }

    /// Writes an item and tells the user's devices of it after the commit.
    func put(_ item: Item, document: [UInt8]? = nil) throws {
        try transaction.apply(.item(item))
        changed[item.account, default: []].append(ChangedItem(item: item, document: document))
    }

    /// Writes an item whose change takes no number and is told to nobody.
    func putSilently(_ item: Item) throws { try transaction.apply(.item(item)) }

    /// Writes a document object of a user's mailbox under its next number.
    func putDocument<T: Encodable>(
        _ user: inout UserState,
        _ kind: ItemKind,
        _ object: String,
        _ value: T
    ) throws {
        let number = user.account.nextNumber()
        // An object that was deleted and comes back is the same item, alive again.
        let existing = try transaction.item(user.account.id, kind: kind, object: object)
        try put(
            Item(
                account: user.account.id,
                kind: kind,
                object: object,
                created: existing?.created ?? number,
                changed: number,
                body: .document(try Documents.encode(value))
            )
        )
    }

    /// Turns a document object into a tombstone.
    /// - Returns: false if there was none.
    func removeDocument(_ user: inout UserState, _ kind: ItemKind, _ object: String) throws -> Bool {
        guard var item = try transaction.item(user.account.id, kind: kind, object: object), !item.isTombstone else {
            return false
        }
        item.body = .tombstone
        item.changed = user.account.nextNumber()
        try put(item)
        return true
    }

    /// Ends the command: writes the users it changed and hands its news to the cache's overlay.
    func finish() throws {
        try finishSides()
        for (id, user) in staged {
            guard let base = bases[id] else { continue }
            let before = cache.user(id)
            if before?.account != user.account { try transaction.apply(.account(user.account)) }
            cache.stage(user)
            let items = changed[id] ?? []
            guard user.account.head > base || !items.isEmpty else { continue }
            cache.tell(
                UserChange(
                    account: id,
                    base: base,
                    head: user.account.head,
                    items: items,
                    devices: user.devices,
                    reportsDevices: user.devicesToldOfReports(at: now)
                )
            )
        }
    }
}

/// One changed item with its content's document when that came with the change.
struct ChangedItem: Sendable {
    var item: Item
    var document: [UInt8]?
}

/// What one batch changed in one user's mailbox, in order.
struct UserChange: Sendable {
    var account: AccountID
    /// The head before, and after.
    var base: ChangeNumber
    var head: ChangeNumber
    var items: [ChangedItem]
    var devices: [Device]
    /// The devices that are told of reports; nil for all of them.
    var reportsDevices: Set<DeviceID>?

    /// Two commits of the same batch become one change.
    mutating func append(_ next: UserChange) {
        items.append(contentsOf: next.items)
        head = next.head
        devices = next.devices
        reportsDevices = next.reportsDevices
    }
}

extension MessagingService {
    /// Runs a command in the writer; `completion` is called on its thread after the commit.
    func perform<T: Sendable>(
        _ command: @escaping @Sendable (Work) throws -> T,
        completion: @escaping @Sendable (Result<T, any Error>) -> Void
    ) {
        let result = CommandResult<T>()
        let users = users
        let clock = clock
        let asked = DispatchTime.now().uptimeNanoseconds
        store.write({ transaction in
            let work = Work(transaction: transaction, cache: users, now: clock())
            users.begin()
            do {
                result.value = try command(work)
                try work.finish()
                result.sessionsDue = work.earliestDue
                result.hasQueued = work.hasQueued
                users.succeed()
            } catch {
                users.fail()
                throw error
            }
        }) { [figures, self] outcome in
            if let due = result.sessionsDue { sessionsAreDue(at: due) }
            // Not before: whoever looks sees what is committed.
            if result.hasQueued { outboxSignal.raise() }
            figures.committed(microseconds: Int64((DispatchTime.now().uptimeNanoseconds - asked) / 1000))
            completion(outcome.flatMap { result.outcome }.mapError(Self.refusal))
        }
    }

    /// Runs a command and waits for its commit.
    func perform<T: Sendable>(_ command: @escaping @Sendable (Work) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            perform(command) { continuation.resume(with: $0) }
        }
    }

    /// Reads in a snapshot; a store's failure becomes a refusal.
    func read<T: Sendable>(_ body: @escaping @Sendable (any ReadView) throws -> T) async throws -> T {
        do {
            return try await store.read(body)
        } catch {
            throw Self.refusal(error)
        }
    }

    /// What a caller is told of an error: refusals as they are, the store's own by kind.
    @Sendable static func refusal(_ error: any Error) -> any Error {
        switch error {
        case let refusal as Refusal: refusal
        case let error as StoreError where error.code == .full:
            Refusal(.storeFull, "the server's storage is full; nothing was changed")
        case let error as StoreError where error.code == .busy || error.code == .closed:
            Refusal(.unavailable, "the server is too busy; try again")
        default: Refusal(.internalError, "the server could not do this; nothing was changed")
        }
    }
}

/// Carries a command's value to its completion: written and read on the writer's thread alone.
private final class CommandResult<T: Sendable>: @unchecked Sendable {
    var value: T?
    var sessionsDue: Timestamp?
    var hasQueued = false

    var outcome: Result<T, any Error> {
        guard let value else { return .failure(Refusal(.internalError, "a command ended without an answer")) }
        return .success(value)
    }
}
