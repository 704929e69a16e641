package import NIOCore

/// Answers of DNS servers, kept for as long as they say (RFC 1035 section 3.2.1, RFC 2308).
package struct DNSCache: Sendable {
    /// How many answers are kept.
    package static let maximumAnswers = 4096
    /// The longest time for which an answer is kept, whatever it says.
    package static let longest = TimeAmount.hours(24)
    /// The longest time for which it is believed that there is nothing (RFC 2308 section 5).
    package static let longestEmpty = TimeAmount.hours(3)

    private struct Question: Hashable {
        let name: String
        let type: DNSRecordType
    }

    private struct Answer {
        let records: [DNSRecord]
        let until: NIODeadline
    }

    private var answers: [Question: Answer] = [:]

    /// Makes an empty cache.
    package init() {}

    /// The number of answers, old ones included.
    package var count: Int { self.answers.count }

    /// The records of a name, nil when they are not known any more.
    package func records(_ name: String, _ type: DNSRecordType, now: NIODeadline) -> [DNSRecord]? {
        guard let answer = self.answers[Question(name: name.lowercased(), type: type)], now < answer.until else {
            return nil
        }
        return answer.records
    }

    /// Keeps an answer for the shortest life of its records; one without records as long as the zone allows, if it says.
    package mutating func keep(_ records: [DNSRecord], _ name: String, _ type: DNSRecordType, now: NIODeadline) {
        let lives = records.map { record in
            if case .authority(let minimum) = record.data { min(record.timeToLive, minimum) } else { record.timeToLive }
        }
        guard let life = lives.min(), life > 0 else { return }
        let found = records.filter { !$0.isAuthority }
        if self.answers.count >= Self.maximumAnswers {
            self.answers = self.answers.filter { now < $0.value.until }
            // Whoever fills it with names that live long gets no more than a fresh start.
            if self.answers.count >= Self.maximumAnswers { self.answers = [:] }
        }
        let bounded = min(TimeAmount.seconds(Int64(life)), found.isEmpty ? Self.longestEmpty : Self.longest)
        self.answers[Question(name: name.lowercased(), type: type)] = Answer(records: found, until: now + bounded)
    }
}
