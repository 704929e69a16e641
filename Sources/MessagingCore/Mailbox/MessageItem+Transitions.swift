extension MessageItem {
    /// What follows from a change to a message's state.
    public enum Effect: Hashable, Sendable {
        /// Tell the sender that this receiver's device was reached.
        case reportDelivered
        /// Tell the sender that this receiver has read it.
        case reportDisplayed
    }

    /// Marks it as read; nil when there is nothing to change.
    public mutating func markRead() -> [Effect]? {
        guard isUnread else { return nil }
        flags.insert(.read)
        var effects: [Effect] = []
        if flags.contains(.wantsDelivered), !flags.contains(.delivered) { effects.append(.reportDelivered) }
        if flags.contains(.wantsDisplayed) { effects.append(.reportDisplayed) }
        flags.insert(.delivered)
        return effects
    }

    /// Notes that a device holds it; nil when that was known. Takes no number of its own.
    public mutating func markDelivered() -> [Effect]? {
        guard flags.contains(.received), !flags.contains(.delivered) else { return nil }
        flags.insert(.delivered)
        return flags.contains(.wantsDelivered) ? [.reportDelivered] : []
    }

    /// "Delete here": whole becomes a notification on that device; false when nothing changes.
    public mutating func deleteHere(_ device: DeviceID, current: Decision) -> Bool {
        guard current.deliver == .whole else { return false }
        decisions[device] = Decision(.notification, silent: current.silent, because: .deletedHere)
        return true
    }

    /// Fetching raises that device's decision to whole; false when it was whole already.
    /// - Throws: ``Refusal`` with code `no-longer-stored`.
    public mutating func fetch(_ device: DeviceID, current: Decision) throws(Refusal) -> Bool {
        guard !flags.contains(.released) else {
            throw Refusal(.noLongerStored, "the provider no longer stores this message's content")
        }
        guard current.deliver != .whole else { return false }
        decisions[device] = Decision(.whole, silent: true, because: .fetchedHere)
        return true
    }

    /// A further address of the same user was written to: it joins, decides again and may only raise.
    public mutating func join(_ address: Address, decisions new: PackedDecisions) -> Bool {
        guard !ownAddresses.contains(address) else { return false }
        ownAddresses.append(address)
        for entry in new.entries {
            guard let decision = entry.decision else { continue }
            if let old = decisions[entry.device], old.deliver >= decision.deliver { continue }
            decisions[entry.device] = decision
        }
        flags.insert(.received)
        return true
    }

    /// The provider gives the content up; devices keep what they hold. False when it was given up already.
    public mutating func release() -> Bool {
        guard !flags.contains(.released) else { return false }
        flags.insert(.released)
        flags.remove(.transient)
        return true
    }
}
