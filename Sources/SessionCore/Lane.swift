/// The sending end of a durable lane between two servers: in order, each once, over links that lose and repeat.
///
/// What is put is kept until the other end says that it has it.
public struct LaneSender<Payload: Hashable & Sendable & Codable>: Hashable, Sendable, Codable {
    /// A payload under its number, from 1.
    public struct Entry: Hashable, Sendable, Codable {
        public var number: Int64
        public var payload: Payload
    }

    public private(set) var waiting: [Entry] = []
    private var last: Int64 = 0

    /// Nothing was put yet.
    public init() {}

    /// Takes a payload and numbers it.
    public mutating func put(_ payload: Payload) -> Entry {
        last += 1
        let entry = Entry(number: last, payload: payload)
        waiting.append(entry)
        return entry
    }

    /// The other end has everything up to a number.
    public mutating func acknowledge(_ number: Int64) { waiting.removeAll { $0.number <= number } }
}

/// The receiving end of a lane.
public struct LaneReceiver: Hashable, Sendable, Codable {
    /// What to do with what came.
    public enum Verdict: Hashable, Sendable {
        /// It is the next one: take it.
        case next
        /// It was taken before; acknowledge again.
        case duplicate
        /// Some before it are missing; the sender has to start after the last one taken.
        case gap
    }

    /// The last one taken: what is acknowledged.
    public private(set) var taken: Int64 = 0

    /// Nothing was taken yet.
    public init() {}

    /// Judges a number, and counts it as taken when it is next.
    public mutating func take(_ number: Int64) -> Verdict {
        if number <= taken { return .duplicate }
        guard number == taken + 1 else { return .gap }
        taken = number
        return .next
    }

    /// What is missing before a number will never come: the sender has given up on it.
    public mutating func skip(to number: Int64) { taken = max(taken, number - 1) }
}
