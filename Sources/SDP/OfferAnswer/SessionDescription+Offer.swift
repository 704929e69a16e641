/// Changing a description for a later offer (RFC 3264 section 8): slots are never dropped and never change places.
extension SessionDescription {
    /// Adds a medium: in a slot that was refused or removed, else at the end.
    ///
    /// - Returns: the slot.
    @discardableResult
    public mutating func add(_ medium: MediaDescription) -> Int {
        if let free = self.media.firstIndex(where: \.isRejected) {
            self.media[free] = medium
            return free
        }
        self.media.append(medium)
        return self.media.count - 1
    }

    /// Removes a medium: its slot stays with port 0, and it leaves its groups.
    public mutating func remove(at index: Int) {
        let mid = self.media[index].mediaID
        self.media[index] = self.media[index].rejected
        if let mid { self.filterGroups(keeping: Set(self.groups.flatMap(\.mediaIDs)).subtracting([mid])) }
    }

    /// Puts a medium on hold: what was sent still may be, nothing is received (RFC 3264 section 8.4).
    public mutating func hold(at index: Int) {
        let direction = self.direction(of: self.media[index])
        self.media[index].setDirection(MediaDirection(sends: direction.sends, receives: false))
    }

    /// Takes a medium off hold: it is received again.
    public mutating func resume(at index: Int) {
        let direction = self.direction(of: self.media[index])
        self.media[index].setDirection(MediaDirection(sends: direction.sends, receives: true))
    }

    /// Whether a medium is on hold as its sender states it: nothing is received there, or the old all-zero address.
    public func isOnHold(at index: Int) -> Bool {
        let medium = self.media[index]
        return !self.direction(of: medium).receives || self.connection(of: medium)?.isUnspecified ?? false
    }

    /// The description as the successor of an earlier one: the same session, with the version one higher when
    /// anything differs and unchanged when nothing does.
    public func succeeding(_ earlier: SessionDescription) -> SessionDescription {
        guard let origin = earlier.origin else { return self }
        var result = self
        result.origin = origin
        if result != earlier { result.origin = origin.incremented }
        return result
    }
}
