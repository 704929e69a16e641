/// What a rule asks for.
public enum Deliver: UInt8, Sendable, Comparable, CaseIterable {
    case nothing
    case notification
    case whole

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension Deliver: Codable, CustomStringConvertible {
    public var description: String {
        switch self {
        case .whole: "whole"
        case .notification: "notification"
        case .nothing: "nothing"
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let match = Self.allCases.first(where: { $0.description == text }) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "expected whole, notification or nothing"
            )
        }
        self = match
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The result of a rule: how much, and whether it makes a sound.
public struct Outcome: Hashable, Sendable, Codable {
    public var deliver: Deliver
    public var silent: Bool

    /// A result; audible unless said otherwise.
    public init(_ deliver: Deliver, silent: Bool = false) {
        self.deliver = deliver
        self.silent = silent
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        deliver = try values.decode(Deliver.self, forKey: .deliver)
        silent = try values.decodeIfPresent(Bool.self, forKey: .silent) ?? false
    }
}

/// A set of conditions; those that are given must all hold, and within one any value suffices.
public struct Conditions: Hashable, Sendable, Codable {
    /// Days and hours in the user's own time.
    public struct Hours: Hashable, Sendable, Codable {
        /// 1 is Monday, 7 is Sunday; empty means every day.
        public var days: [Int]
        /// Minutes since midnight; `from` after `until` spans midnight.
        public var from: Int
        public var until: Int
        /// Minutes east of UTC.
        public var utcOffset: Int

        /// A daily window.
        public init(days: [Int] = [], from: Int, until: Int, utcOffset: Int = 0) {
            self.days = days
            self.from = from
            self.until = until
            self.utcOffset = utcOffset
        }

        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            days = try values.decodeIfPresent([Int].self, forKey: .days) ?? []
            from = try values.decode(Int.self, forKey: .from)
            until = try values.decode(Int.self, forKey: .until)
            utcOffset = try values.decodeIfPresent(Int.self, forKey: .utcOffset) ?? 0
        }

        func contains(_ time: Timestamp) -> Bool {
            let (minute, weekday) = time.localMinute(utcOffsetMinutes: utcOffset)
            let inHours = from <= until ? (from..<until).contains(minute) : minute >= from || minute < until
            return inHours && (days.isEmpty || days.contains(weekday))
        }
    }

    /// Own addresses that were written to.
    public var to: [Address]?
    /// Senders by address.
    public var from: [Address]?
    /// Senders by domain.
    public var fromDomains: [String]?
    /// Senders by membership in one of the user's contact lists.
    public var fromLists: [String]?
    public var devices: [DeviceID]?
    public var deviceKinds: [DeviceKind]?
    public var messageKinds: [MessageKind]?
    /// Some part of the message falls under one of these.
    public var media: [MediaPattern]?
    public var atLeastBytes: Int64?
    public var belowBytes: Int64?
    public var hours: Hours?
    public var availability: [Availability.State]?
    public var deviceAvailability: [Availability.State]?

    /// No condition at all: always holds.
    public init() {}
}

/// "When all of this holds, unless that does, then so much."
public struct Rule: Hashable, Sendable, Codable {
    public var name: String
    public var when: Conditions
    public var unless: Conditions?
    public var then: Outcome

    /// A named rule.
    public init(name: String, when: Conditions, unless: Conditions? = nil, then: Outcome) {
        self.name = name
        self.when = when
        self.unless = unless
        self.then = then
    }
}

/// The user's rules for one kind of thing: the first match wins, else the default.
public struct RuleList: Hashable, Sendable, Codable {
    public var rules: [Rule]
    public var otherwise: Outcome

    /// Rules in order, and what holds when none matches.
    public init(rules: [Rule] = [], otherwise: Outcome = Outcome(.whole)) {
        self.rules = rules
        self.otherwise = otherwise
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        rules = try values.decodeIfPresent([Rule].self, forKey: .rules) ?? []
        otherwise = try values.decodeIfPresent(Outcome.self, forKey: .otherwise) ?? Outcome(.whole)
    }
}

/// All of a user's rules, with the revision that decisions name.
public struct RuleBook: Hashable, Sendable, Codable {
    public var revision: Int32
    public var incoming: RuleList
    public var sentCopies: RuleList
    public var reports: RuleList
    public var requests: RuleList
    public var media: RuleList

    /// Everything whole, everywhere.
    public init() {
        revision = 0
        incoming = RuleList()
        sentCopies = RuleList(otherwise: Outcome(.whole, silent: true))
        reports = RuleList(otherwise: Outcome(.whole, silent: true))
        requests = RuleList()
        media = RuleList()
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        revision = try values.decodeIfPresent(Int32.self, forKey: .revision) ?? 0
        incoming = try values.decodeIfPresent(RuleList.self, forKey: .incoming) ?? incoming
        sentCopies = try values.decodeIfPresent(RuleList.self, forKey: .sentCopies) ?? sentCopies
        reports = try values.decodeIfPresent(RuleList.self, forKey: .reports) ?? reports
        requests = try values.decodeIfPresent(RuleList.self, forKey: .requests) ?? requests
        media = try values.decodeIfPresent(RuleList.self, forKey: .media) ?? media
    }

    /// Checks names, counts and ranges of all lists.
    /// - Throws: ``Refusal`` with code `invalid-rules`, naming the rule.
    public func validate() throws(Refusal) {
        for (list, name) in [
            (incoming, "incoming"), (sentCopies, "sentCopies"), (reports, "reports"), (requests, "requests"),
            (media, "media"),
        ] {
            guard list.rules.count <= Limits.rulesPerList else {
                throw Refusal(.invalidRules, "\(name): at most \(Limits.rulesPerList) rules")
            }
            guard Set(list.rules.map(\.name)).count == list.rules.count else {
                throw Refusal(.invalidRules, "\(name): two rules share a name")
            }
            for rule in list.rules {
                guard (1...Limits.ruleNameBytes).contains(rule.name.utf8.count) else {
                    throw Refusal(.invalidRules, "\(name): a rule's name has 1 to \(Limits.ruleNameBytes) bytes")
                }
                try rule.when.validate(rule.name)
                try rule.unless?.validate(rule.name)
            }
        }
    }
}

extension Conditions {
    func validate(_ rule: String) throws(Refusal) {
        let counts = [
            to?.count, from?.count, fromDomains?.count, fromLists?.count, devices?.count, deviceKinds?.count,
            messageKinds?.count, media?.count, availability?.count, deviceAvailability?.count,
        ]
        guard counts.allSatisfy({ ($0 ?? 1) >= 1 && ($0 ?? 1) <= Limits.valuesPerCondition }) else {
            throw Refusal(.invalidRules, "\(rule): a condition lists 1 to \(Limits.valuesPerCondition) values")
        }
        if let hours {
            guard (0...1440).contains(hours.from), (0...1440).contains(hours.until),
                (-840...840).contains(hours.utcOffset), hours.days.allSatisfy({ (1...7).contains($0) }),
                hours.days.count <= 7
            else { throw Refusal(.invalidRules, "\(rule): hours are minutes 0 to 1440, days 1 (Monday) to 7") }
        }
        guard (atLeastBytes ?? 0) >= 0, (belowBytes ?? 1) > 0 else {
            throw Refusal(.invalidRules, "\(rule): sizes are positive")
        }
    }
}
