import Testing
import XMLBodies

@Suite("Versions of documents")
struct DocumentVersionsTests {
    /// Every state with every kind of input: what is done, and the version and waiting after it.
    @Test(
        "every state and input",
        arguments: [
            // nothing known
            ("nothing", 0, DocumentState.full, DocumentVersions.Action.replace, UInt64?.some(0), false),
            ("nothing", 7, .full, .replace, 7, false), ("nothing", 0, .partial, .requestFullState, nil, true),
            ("nothing", 0, .deleted, .requestFullState, nil, true),
            // version 5 held
            ("holding", 4, .full, .discard, 5, false), ("holding", 5, .full, .discard, 5, false),
            ("holding", 9, .full, .replace, 9, false), ("holding", 4, .partial, .discard, 5, false),
            ("holding", 5, .partial, .discard, 5, false), ("holding", 6, .partial, .merge, 6, false),
            ("holding", 7, .partial, .requestFullState, 5, true), ("holding", 6, .deleted, .merge, 6, false),
            // version 5 held, a gap seen
            ("asking", 5, .full, .discard, 5, true), ("asking", 8, .full, .replace, 8, false),
            ("asking", 6, .partial, .discard, 5, true), ("asking", 6, .deleted, .discard, 5, true),
        ]
    )
    func transitions(
        _ start: String,
        _ version: UInt64,
        _ state: DocumentState,
        _ action: DocumentVersions.Action,
        _ current: UInt64?,
        _ isAsking: Bool
    ) {
        var versions = DocumentVersions()
        if start != "nothing" { #expect(versions.received(version: 5, state: .full) == .replace) }
        if start == "asking" { #expect(versions.received(version: 9, state: .partial) == .requestFullState) }
        #expect(versions.received(version: version, state: state) == action)
        #expect(versions.current == current)
        #expect(versions.isAskingForFullState == isAsking)
    }

    @Test("a new subscription starts anew at any version")
    func resubscribed() {
        var versions = DocumentVersions()
        _ = versions.received(version: 5, state: .full)
        versions.resubscribed()
        #expect(versions.current == nil)
        #expect(versions.received(version: 0, state: .full) == .replace)
    }

    @Test("the largest version has no successor")
    func last() {
        var versions = DocumentVersions()
        #expect(versions.received(version: .max, state: .full) == .replace)
        #expect(versions.received(version: .max, state: .partial) == .discard)
    }
}
