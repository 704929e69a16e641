import MessagingCore
import Synchronization

@testable import MessagingService

/// A way to other providers that does as the test says.
final class ScriptedRouter: OutboundRouter {
    private struct State {
        var result = OutboundResult.delivered
        var entries: [OutboxEntry] = []
        var texts: [String?] = []
    }

    private let state = Mutex(State())

    var tried: Int { state.withLock { $0.entries.count } }
    var entries: [OutboxEntry] { state.withLock { $0.entries } }
    /// The first part's text of what was handed over.
    var texts: [String?] { state.withLock { $0.texts } }

    func answer(_ result: OutboundResult) { state.withLock { $0.result = result } }

    func deliver(_ entry: OutboxEntry, envelope: Envelope?, fence: Int64) async -> OutboundResult {
        state.withLock { state in
            state.entries.append(entry)
            state.texts.append(envelope?.parts.first?.text)
            return state.result
        }
    }
}
