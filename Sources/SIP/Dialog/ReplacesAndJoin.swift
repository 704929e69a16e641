/// What to do with an INVITE that carries Replaces (RFC 3891 section 3).
public enum ReplacesVerdict: Sendable, Hashable {
    /// Answer the new dialog, then end the old one: BYE, or CANCEL/487 for an early one that we started.
    case replace(DialogID)
    /// Answer with this status: 400, 481, 486 or 603.
    case reject(SIPStatus)

    /// Decides on an INVITE.
    ///
    /// - Parameter lookup: Finds a dialog by its identifier.
    /// - Returns: nil when the INVITE carries no Replaces.
    public static func decide(_ request: SIPMessage, lookup: (DialogID) -> Dialog?) -> Self? {
        guard request.contains(.replaces) else { return nil }
        guard request.method == .invite, !request.contains(.join),
            let value = try? request.value(.replaces, as: DialogReference.self),
            let id = value.dialogID(.replacesOrJoin)
        else { return .reject(400) }
        guard let dialog = lookup(id) else { return .reject(481) }
        switch dialog.state {
        case .terminated: return .reject(603)
        case .confirmed: return value.isEarlyOnly ? .reject(486) : .replace(id)
        // Only the side that sent the INVITE may have its early dialog replaced.
        case .early: return dialog.isInitiator ? .replace(id) : .reject(481)
        }
    }
}

/// What to do with an INVITE that carries Join (RFC 3911 section 4).
public enum JoinVerdict: Sendable, Hashable {
    /// Answer the new dialog and mix its media with those of this one, once its sender is known to be allowed to.
    case join(DialogID)
    /// Nobody has such a dialog, but the Request-URI is that of a conference: go on as if there were no Join.
    case ignore
    /// Answer with this status: 400, 481 or 603.
    case reject(SIPStatus)

    /// Decides on an INVITE.
    ///
    /// An early dialog may be joined whoever began it, unlike one that is to be replaced.
    ///
    /// - Parameters:
    ///   - isConference: Whether the Request-URI is that of a conference.
    ///   - lookup: Finds a dialog that an INVITE made by its identifier.
    /// - Returns: nil when the request carries no Join.
    public static func decide(
        _ request: SIPMessage,
        isConference: Bool = false,
        lookup: (DialogID) -> Dialog?
    ) -> Self? {
        guard request.contains(.join) else { return nil }
        guard request.method == .invite, !request.contains(.replaces),
            let value = try? request.value(.join, as: DialogReference.self),
            let id = value.dialogID(.replacesOrJoin)
        else { return .reject(400) }
        guard let dialog = lookup(id) else { return isConference ? .ignore : .reject(481) }
        return dialog.state == .terminated ? .reject(603) : .join(id)
    }
}
