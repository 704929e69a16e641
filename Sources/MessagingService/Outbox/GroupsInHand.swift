import Synchronization

/// Groups of lanes that are being worked, one worker for each.
final class GroupsInHand: Sendable {
    private let state = Mutex<[String: Bool]>([:])

    /// Whether the group was free, and is the caller's now; if not, its worker is asked to look again.
    func take(_ group: String) -> Bool {
        state.withLock { state in
            let isFree = state[group] == nil
            state[group] = !isFree
            return isFree
        }
    }

    /// - Returns: whether somebody asked meanwhile: work that came then may have been overlooked.
    func release(_ group: String) -> Bool { state.withLock { $0.removeValue(forKey: group) ?? false } }
}
