/// One line of the tour: what is to be seen, and how it is played and looked at.
struct TourStep: Sendable {
    /// The number in the requirement document: `9`; `28a`, `28b` in its first and second alternative flow; `R7`.
    var name: String
    var words: String
    /// The step that has to be played before; nil for one that needs nothing but the stage.
    var after: String?
    /// Plays it, and says what was observed from outside.
    /// - Throws: what was not observed.
    var play: @Sendable (Stage) async throws -> String
    /// Takes its mechanism away, and with it what is to be seen.
    var sabotage: Sabotage

    /// How a step is broken, for real.
    struct Sabotage: Sendable {
        /// What is done, in words.
        var words: String
        /// The step in front of which it is done; nil for the step itself.
        var before: String?
        var act: @Sendable (Stage) async throws -> Void
    }
}

extension TourStep.Sabotage {
    static func stop(_ provider: Provider, before: String? = nil) -> Self {
        Self(words: "the server of \(provider.rawValue) is stopped", before: before) { stage in
            switch provider {
            case .a: stage.a.stop()
            case .b: stage.b.stop()
            }
        }
    }

    enum Provider: String {
        case a = "a.example"
        case b = "b.example"
    }

    static func close(_ page: String, before: String? = nil) -> Self {
        Self(words: "the page of \(page) is closed", before: before) { try await $0.page(page).close() }
    }

    static func switchOff(_ device: String, before: String? = nil) -> Self {
        Self(words: "\(device) is switched off", before: before) { await $0.switchOff(device) }
    }

    static func revoke(_ device: String, before: String? = nil) -> Self {
        Self(words: "\(device) is revoked", before: before) { try await $0.revoke(device) }
    }

    static func rulesRemoved(before: String? = nil) -> Self {
        Self(words: "Alice's rules are removed", before: before) { try await $0.removeRules() }
    }

    /// Nothing goes in or out of a page any more.
    static func cut(_ page: String, before: String? = nil) -> Self {
        Self(words: "the network of \(page) is cut", before: before) { try await $0.cut(page) }
    }

    static func act(
        _ words: String,
        before: String? = nil,
        _ act: @escaping @Sendable (Stage) async throws -> Void
    ) -> Self {
        Self(words: words, before: before, act: act)
    }
}
