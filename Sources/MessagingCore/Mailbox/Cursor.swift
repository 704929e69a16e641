/// Marks one life of a mailbox: new after a restore or a move to another store.
public struct Epoch: Hashable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// Wraps the random text that names an epoch.
    public init(_ text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        description = try decoder.singleValueContainer().decode(String.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// How far a device has followed its mailbox.
public struct Cursor: Hashable, Sendable, Codable {
    public var epoch: Epoch
    /// Everything whose `changed` is at or below this is safely on the device.
    public var number: ChangeNumber
    /// The last number at which the device had everything.
    public var level: ChangeNumber

    /// A position in one epoch of a mailbox.
    public init(epoch: Epoch, number: ChangeNumber, level: ChangeNumber) {
        self.epoch = epoch
        self.number = number
        self.level = level
    }
}

/// How a device that connects with a cursor is brought up to date.
public enum CatchUp: Hashable, Sendable {
    /// Why the device has to start from a listing.
    public enum ResetReason: String, Sendable, Codable {
        case fresh
        case otherEpoch = "other-epoch"
        case trimmed
        case beyondHead = "beyond-head"
        case tooFarBehind = "too-far-behind"
    }

    /// It has all there is.
    case current
    /// Digest first, then everything that changed after `number`; items created after `level` come in full.
    case stream(after: ChangeNumber, level: ChangeNumber)
    /// A paged listing, newest first; what it lacks is deleted.
    case reset(ResetReason)

    /// Decides from the device's cursor and the mailbox's own numbers (design: "Synchronising", steps 1 and 2).
    public static func decide(cursor: Cursor?, epoch: Epoch, head: ChangeNumber, trim: ChangeNumber) -> CatchUp {
        guard let cursor else { return head == 0 ? .current : .reset(.fresh) }
        guard cursor.epoch == epoch else { return .reset(.otherEpoch) }
        guard cursor.number <= head, cursor.level <= cursor.number, cursor.level >= 0 else {
            return .reset(.beyondHead)
        }
        if cursor.number == head, cursor.level == head { return .current }
        guard cursor.number >= trim else { return .reset(cursor.number == 0 ? .fresh : .trimmed) }
        return .stream(after: cursor.number, level: cursor.level)
    }
}
