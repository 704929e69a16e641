import Dispatch
import GRDB
import Synchronization

/// Copies the log into the database once the writer has rested for a moment.
///
/// What was written lately is what devices read when they come back, and a page is found much sooner in the mapped
/// database than through the log. It works on a connection of its own: the writer and the readers never wait for it.
final class IdleCheckpoint: Sendable {
    /// Without a commit for this long the writer rests.
    static let restMilliseconds = 500

    private struct State {
        var commits = 0
        /// Commits when the timer was set; nil while none is set.
        var awaited: Int?
        var connection: DatabaseQueue?
    }

    private let state: Mutex<State>
    private let queue = DispatchQueue(label: "continuo.store.checkpoint", qos: .utility)

    init(path: String) throws {
        var configuration = GRDB.Configuration()
        configuration.label = "checkpoint"
        state = Mutex(State(connection: try DatabaseQueue(path: path, configuration: configuration)))
    }

    /// Something was committed.
    func noteCommit() {
        let isFirst = state.withLock { state in
            state.commits += 1
            guard state.awaited == nil else { return false }
            state.awaited = state.commits
            return true
        }
        if isFirst { setTimer() }
    }

    /// No more checkpoints; one that runs is waited for.
    func close() throws {
        try queue.sync {
            let connection = state.withLock { state in
                defer { state.connection = nil }
                return state.connection
            }
            try connection?.close()
        }
    }

    private func setTimer() {
        queue.asyncAfter(deadline: .now() + .milliseconds(Self.restMilliseconds)) { [weak self] in self?.timeIsUp() }
    }

    private func timeIsUp() {
        let (connection, rests) = state.withLock { state in
            let rests = state.commits == state.awaited
            state.awaited = rests ? nil : state.commits
            return (state.connection, rests)
        }
        guard let connection else { return }
        guard rests else { return setTimer() }
        // A failure costs nothing but speed: the log stays, and grows to where the writer copies it.
        _ = try? connection.writeWithoutTransaction { try $0.checkpoint(.passive) }
    }
}
