/// Keeps the order of the documents of one subscription (RFC 3680 section 5.1, RFC 4235 section 4.3, RFC 4575
/// section 4.6).
///
/// ```
///            full n                     partial n+1, full m > n
/// nothing ------------> holding n ---------------------------------> holding the new one
///    | partial             | partial m > n+1        full
///    +---> asking <--------+     asking -----------------> holding
/// ```
///
/// A document that is not newer than the last is discarded in every state.
public struct DocumentVersions: Sendable, Equatable {
    /// What to do with a document.
    public enum Action: Sendable, Equatable {
        /// Forget what was known and take the document.
        case replace
        /// Change what is known by the document.
        case merge
        /// Ignore the document: it is old or came twice, or the full state was already asked for.
        case discard
        /// Ignore the document and subscribe again for the full state: one was missed.
        case requestFullState
    }

    private enum State: Equatable {
        case nothing
        case holding(UInt64)
        case asking(UInt64?)
    }

    private var state: State = .nothing

    /// Begins a subscription: nothing is known.
    public init() {}

    /// The version of the last document taken; nil before the first.
    public var current: UInt64? {
        switch self.state {
        case .nothing: nil
        case .holding(let version): version
        case .asking(let version): version
        }
    }

    /// Whether a full document is waited for after a gap.
    public var isAskingForFullState: Bool {
        if case .asking = self.state { true } else { false }
    }

    /// Takes the version and the kind of a document that came.
    public mutating func received(version: UInt64, state documentState: DocumentState) -> Action {
        switch (self.state, documentState) {
        case (.nothing, .full):
            self.state = .holding(version)
            return .replace
        case (.nothing, .partial), (.nothing, .deleted):
            self.state = .asking(nil)
            return .requestFullState
        case (.holding(let last), .full):
            guard version > last else { return .discard }
            self.state = .holding(version)
            return .replace
        case (.holding(let last), .partial), (.holding(let last), .deleted):
            guard version > last else { return .discard }
            guard version - last == 1 else {
                self.state = .asking(last)
                return .requestFullState
            }
            self.state = .holding(version)
            return .merge
        case (.asking(let last), .full):
            if let last, version <= last { return .discard }
            self.state = .holding(version)
            return .replace
        case (.asking, .partial), (.asking, .deleted):
            return .discard
        }
    }

    /// Notes that a new subscription began, whose first document is full and may start at any version.
    public mutating func resubscribed() { self.state = .nothing }
}
