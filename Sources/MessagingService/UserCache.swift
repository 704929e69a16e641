import MessagingCore
import Store

/// The writer's copy of users: committed state, and above it what the running batch has changed.
///
/// `@unchecked Sendable`: touched only on the store's writer thread (jobs, completions and the batch observer run
/// there), which is what the store promises.
final class UserCache: @unchecked Sendable {
    private let capacity: Int
    private var committed: [AccountID: UserState] = [:]
    private var batch: [AccountID: UserState] = [:]
    private var job: [AccountID: UserState] = [:]
    /// What the running batch has loaded: it may have been read after writes that are undone.
    private var loaded: Set<AccountID> = []
    private var addresses: [Address: AccountID] = [:]
    private var loadedAddresses: [Address] = []
    private var batchNews: [AccountID: UserChange] = [:]
    private var batchOrder: [AccountID] = []
    private var jobNews: [UserChange] = []
    /// Sides of live conversations, in the same layers.
    var sessions: Layers<SessionKey, SessionSide>

    /// Texts of new contents until they are in the search index.
    var searchable: Layers<ContentID, String>

    init(capacity: Int) {
        self.capacity = capacity
        searchable = Layers(capacity: MessagingService.keptTexts)
        sessions = Layers(capacity: capacity)
    }

    func user(_ id: AccountID) -> UserState? { job[id] ?? batch[id] ?? committed[id] }

    func account(holding address: Address) -> AccountID? { addresses[address] }

    /// Keeps what was just loaded.
    func remember(_ user: UserState) {
        if committed.count >= capacity { committed.removeAll(keepingCapacity: true) }
        committed[user.account.id] = user
        loaded.insert(user.account.id)
    }

    func remember(_ address: Address, _ id: AccountID) {
        if addresses.count >= capacity * 2 { addresses.removeAll(keepingCapacity: true) }
        addresses[address] = id
        loadedAddresses.append(address)
    }

    func forget(_ address: Address) { addresses[address] = nil }

    func stage(_ user: UserState) { job[user.account.id] = user }

    func tell(_ change: UserChange) { jobNews.append(change) }

    func begin() {
        job.removeAll(keepingCapacity: true)
        jobNews.removeAll(keepingCapacity: true)
        sessions.begin()
        searchable.begin()
    }

    func succeed() {
        sessions.succeed()
        searchable.succeed()
        for (id, user) in job { batch[id] = user }
        for change in jobNews {
            if batchNews[change.account] == nil {
                batchNews[change.account] = change
                batchOrder.append(change.account)
            } else {
                batchNews[change.account]?.append(change)
            }
        }
        begin()
    }

    func fail() {
        dropLoaded()
        begin()
    }

    private func dropLoaded() {
        for id in loaded { committed[id] = nil }
        for address in loadedAddresses { addresses[address] = nil }
        sessions.dropLoaded()
        searchable.dropLoaded()
        forgetLoaded()
    }

    private func forgetLoaded() {
        loaded.removeAll(keepingCapacity: true)
        loadedAddresses.removeAll(keepingCapacity: true)
    }

    /// Takes over or drops the batch's overlay; returns what there is to tell.
    func batchEnded(_ outcome: BatchOutcome) -> [UserChange] {
        defer {
            batch.removeAll(keepingCapacity: true)
            batchNews.removeAll(keepingCapacity: true)
            batchOrder.removeAll(keepingCapacity: true)
            forgetLoaded()
        }
        sessions.batchEnded(outcome)
        searchable.batchEnded(outcome)
        switch outcome {
        case .committed:
            for (id, user) in batch { committed[id] = user }
            return batchOrder.compactMap { batchNews[$0] }
        case .failed, .undone:
            dropLoaded()
            return []
        }
    }
}
