import MessagingCore
import Testing

@Suite("What a device gets: first match wins, within the operator's bounds (R1, R2)")
struct DecideTests {
    let computer = Make.device(1, .computer)
    let mobile = Make.device(2, .mobile)
    let facts = MessageFacts(Make.envelope(from: "bob", to: ["alice"]), ownAddresses: [Make.address("alice")])

    private func decided(
        _ facts: MessageFacts,
        _ device: Device,
        _ preferences: Preferences = Preferences(),
        policy: OperatorPolicy = OperatorPolicy(),
        direction: Direction = .incoming,
        now: Timestamp = Make.now
    ) -> Decision {
        decide(facts, direction, device: device, preferences: preferences, policy: policy, now: now)
    }

    @Test("without rules everything comes whole")
    func plain() { #expect(decided(facts, mobile) == Decision(.whole, because: .otherwise)) }

    @Test("business address only on computers: the rule's exception decides")
    func business() {
        var when = Conditions()
        when.to = [Make.address("alice.work")]
        var unless = Conditions()
        unless.deviceKinds = [.computer]
        var preferences = Preferences()
        preferences.rules.incoming.rules = [
            Rule(name: "business", when: when, unless: unless, then: Outcome(.nothing))
        ]
        var business = facts
        business.ownAddresses = [Make.address("alice.work")]
        #expect(decided(business, computer, preferences) == Decision(.whole, because: .otherwise))
        #expect(decided(business, mobile, preferences) == Decision(.nothing, because: .rule(index: 0)))
        #expect(decided(facts, mobile, preferences) == Decision(.whole, because: .otherwise))
    }

    @Test("the first rule that matches wins")
    func firstMatch() {
        var preferences = Preferences()
        var bob = Conditions()
        bob.from = [Make.address("bob")]
        preferences.rules.incoming.rules = [
            Rule(name: "bob quietly", when: bob, then: Outcome(.notification, silent: true)),
            Rule(name: "all", when: Conditions(), then: Outcome(.nothing)),
        ]
        #expect(
            decided(facts, mobile, preferences) == Decision(.notification, silent: true, because: .rule(index: 0))
        )
    }

    struct ConditionCase: Sendable, CustomTestStringConvertible {
        let name: String
        let make: @Sendable (inout Conditions) -> Void
        let matches: Bool
        var testDescription: String { name }
    }

    @Test(
        "each condition holds and fails on its own",
        arguments: [
            ConditionCase(name: "from", make: { $0.from = [Make.address("bob")] }, matches: true),
            ConditionCase(name: "from other", make: { $0.from = [Make.address("eve")] }, matches: false),
            ConditionCase(name: "domain", make: { $0.fromDomains = ["a.example"] }, matches: true),
            ConditionCase(name: "other domain", make: { $0.fromDomains = ["b.example"] }, matches: false),
            ConditionCase(name: "list", make: { $0.fromLists = ["friends"] }, matches: true),
            ConditionCase(name: "other list", make: { $0.fromLists = ["work"] }, matches: false),
            ConditionCase(name: "device", make: { $0.devices = [DeviceID(rawValue: 2)] }, matches: true),
            ConditionCase(name: "other device", make: { $0.devices = [DeviceID(rawValue: 1)] }, matches: false),
            ConditionCase(name: "device kind", make: { $0.deviceKinds = [.mobile, .pda] }, matches: true),
            ConditionCase(name: "other device kind", make: { $0.deviceKinds = [.computer] }, matches: false),
            ConditionCase(name: "message kind", make: { $0.messageKinds = [.immediate] }, matches: true),
            ConditionCase(name: "other message kind", make: { $0.messageKinds = [.file] }, matches: false),
            ConditionCase(name: "media", make: { $0.media = [Make.pattern("text/*")] }, matches: true),
            ConditionCase(name: "other media", make: { $0.media = [Make.pattern("image/*")] }, matches: false),
            ConditionCase(name: "at least", make: { $0.atLeastBytes = 7 }, matches: true),
            ConditionCase(name: "at least more", make: { $0.atLeastBytes = 8 }, matches: false),
            ConditionCase(name: "below", make: { $0.belowBytes = 8 }, matches: true),
            ConditionCase(name: "below less", make: { $0.belowBytes = 7 }, matches: false),
            ConditionCase(name: "availability", make: { $0.availability = [.busy] }, matches: true),
            ConditionCase(name: "other availability", make: { $0.availability = [.available] }, matches: false),
            ConditionCase(name: "device availability", make: { $0.deviceAvailability = [.available] }, matches: true),
            ConditionCase(name: "other device availability", make: { $0.deviceAvailability = [.busy] }, matches: false),
            ConditionCase(name: "hours", make: { $0.hours = .init(from: 0, until: 1440) }, matches: true),
            ConditionCase(name: "no hours", make: { $0.hours = .init(from: 100, until: 100) }, matches: false),
        ]
    )
    func conditions(_ test: ConditionCase) {
        var conditions = Conditions()
        test.make(&conditions)
        var preferences = Preferences(
            availability: Availability(.busy),
            lists: ["friends": [Make.address("bob")]]
        )
        preferences.rules.incoming.rules = [Rule(name: "r", when: conditions, then: Outcome(.nothing))]
        #expect((decided(facts, mobile, preferences).because == .rule(index: 0)) == test.matches)
    }

    @Test("hours may span midnight and name days")
    func hours() throws {
        let night = Conditions.Hours(days: [], from: 22 * 60, until: 6 * 60)
        var conditions = Conditions()
        conditions.hours = night
        var preferences = Preferences()
        preferences.rules.incoming.rules = [Rule(name: "night", when: conditions, then: Outcome(.nothing))]
        let late = try #require(Timestamp("2022-02-22T23:00:00Z"))
        let noon = try #require(Timestamp("2022-02-22T12:00:00Z"))
        #expect(decided(facts, mobile, preferences, now: late).deliver == .nothing)
        #expect(decided(facts, mobile, preferences, now: noon).deliver == .whole)
        preferences.rules.incoming.rules[0].when.hours?.days = [3]
        #expect(decided(facts, mobile, preferences, now: late).deliver == .whole)
    }

    @Test("what the device cannot show, or take, becomes a notification")
    func capabilities() {
        let phone = Make.device(3, .fixedPhone, capabilities: Capabilities(accepts: [Make.pattern("image/*")]))
        #expect(decided(facts, phone) == Decision(.notification, because: .cannotShow))
        let small = Make.device(
            4,
            .pda,
            capabilities: Capabilities(accepts: [Make.pattern("*/*")], maximumMessageBytes: 3)
        )
        #expect(decided(facts, small) == Decision(.notification, because: .deviceSizeLimit))
    }

    @Test("capabilities cap, they never raise")
    func capabilitiesNeverRaise() {
        var preferences = Preferences()
        preferences.rules.incoming.otherwise = Outcome(.nothing)
        let phone = Make.device(3, .fixedPhone, capabilities: Capabilities(accepts: []))
        #expect(decided(facts, phone, preferences) == Decision(.nothing, because: .otherwise))
    }

    @Test("the operator's prohibitions come before the user's rules, the operator's limits after them")
    func operatorPolicy() {
        var preferences = Preferences()
        preferences.rules.incoming.rules = [Rule(name: "all", when: Conditions(), then: Outcome(.whole))]
        #expect(
            decided(facts, mobile, preferences, policy: OperatorPolicy(prohibitedDomains: ["a.example"]))
                == Decision(.nothing, because: .operatorProhibits)
        )
        #expect(
            decided(facts, mobile, preferences, policy: OperatorPolicy(wholeUpToBytes: 3))
                == Decision(.notification, because: .operatorSizeLimit)
        )
        #expect(
            decided(
                facts,
                mobile,
                preferences,
                policy: OperatorPolicy(notificationOnlyMedia: [Make.pattern("text/*")])
            )
                == Decision(.notification, because: .operatorMedia)
        )
        #expect(
            decided(facts, mobile, preferences, policy: OperatorPolicy(sentCopies: false), direction: .sentCopy)
                == Decision(.nothing, because: .operatorProhibits)
        )
    }

    @Test("a blocked sender reaches no device")
    func blocked() {
        let preferences = Preferences(blocked: [Make.address("bob")])
        #expect(decided(facts, mobile, preferences) == Decision(.nothing, because: .blockedSender))
    }

    @Test("availability falls back when its time is over")
    func availability() {
        let busy = Availability(.doNotDisturb, until: Make.now)
        #expect(busy.state(at: Make.now.advanced(by: -1)) == .doNotDisturb)
        #expect(busy.state(at: Make.now) == .available)
    }

    @Test("every reason survives packing")
    func packing() {
        let reasons: [Because] = [
            .operatorProhibits, .blockedSender, .otherwise, .cannotShow, .deviceSizeLimit, .operatorMedia,
            .operatorSizeLimit, .sentFromHere, .deletedHere, .fetchedHere, .rule(index: 0), .rule(index: 63),
        ]
        var packed = PackedDecisions(revision: 3)
        for (index, reason) in reasons.enumerated() {
            for deliver in Deliver.allCases {
                let device = DeviceID(rawValue: Int32(index))
                packed[device] = Decision(deliver, silent: index.isMultiple(of: 2), because: reason)
                #expect(packed[device] == Decision(deliver, silent: index.isMultiple(of: 2), because: reason))
            }
        }
        #expect(packed.entries.count == reasons.count)
    }
}

@Suite("Rules are checked before they hold")
struct RuleValidationTests {
    @Test("two rules of a name, empty conditions, odd hours are refused")
    func refused() {
        var book = RuleBook()
        book.incoming.rules = [
            Rule(name: "a", when: Conditions(), then: Outcome(.whole)),
            Rule(name: "a", when: Conditions(), then: Outcome(.whole)),
        ]
        #expect(throws: Refusal(.invalidRules, "")) { try book.validate() }
        book = RuleBook()
        var empty = Conditions()
        empty.to = []
        book.reports.rules = [Rule(name: "b", when: empty, then: Outcome(.whole))]
        #expect(throws: Refusal(.invalidRules, "")) { try book.validate() }
        var odd = Conditions()
        odd.hours = .init(days: [8], from: 0, until: 10)
        book.reports.rules = [Rule(name: "b", when: odd, then: Outcome(.whole))]
        #expect(throws: Refusal(.invalidRules, "")) { try book.validate() }
        book.reports.rules = (0...Limits.rulesPerList).map {
            Rule(name: "\($0)", when: Conditions(), then: Outcome(.whole))
        }
        #expect(throws: Refusal(.invalidRules, "")) { try book.validate() }
    }
}
