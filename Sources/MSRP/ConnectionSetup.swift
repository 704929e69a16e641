/// The value of `a=setup` for MSRP (RFC 6135).
public enum ConnectionSetup: String, Sendable, Hashable, CaseIterable {
    /// Will connect.
    case active
    /// Can be connected to.
    case passive
    /// Either.
    case actpass
    /// Wants no connection for now; not used with MSRP.
    case holdconn

    /// What an end says in an offer: never `passive`, for the other end may be unable to connect to it
    /// (RFC 6135 section 4.2).
    public static func offer(isReachable: Bool) -> ConnectionSetup { isReachable ? .actpass : .active }

    /// What an end answers, and the role that it has then.
    ///
    /// - Parameters:
    ///   - offered: what the offer said; none for an end that does not know RFC 6135, which is then active as the
    ///     offerer (RFC 4975 section 8.1).
    ///   - isReachable: whether the other end can connect to this one.
    ///   - canConnect: whether this end can connect to the other one.
    ///   - prefersActive: what to be when both would do. Being active spares the other end a reachable address.
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/noConnectionRole`` when no end can connect; a relay would help.
    public static func answer(
        to offered: ConnectionSetup?,
        isReachable: Bool,
        canConnect: Bool = true,
        prefersActive: Bool = true
    ) throws(MSRPError) -> (setup: ConnectionSetup, role: ConnectionRole) {
        let active: (ConnectionSetup, ConnectionRole) = (.active, .active)
        let passive: (ConnectionSetup, ConnectionRole) = (.passive, .passive)
        switch offered ?? .active {
        case .active:
            guard isReachable else { throw Self.noRole }
            return passive
        case .passive:
            guard canConnect else { throw Self.noRole }
            return active
        case .actpass:
            if canConnect, prefersActive || !isReachable { return active }
            guard isReachable else { throw Self.noRole }
            return passive
        case .holdconn: throw Self.noRole
        }
    }

    /// The role of the end that made the offer, once it is answered.
    ///
    /// - Parameters:
    ///   - offered: what this end offered.
    ///   - answered: what the answer says; none from an end that does not know RFC 6135, which then waits.
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/noConnectionRole`` when both would connect, or both would wait.
    public static func offererRole(
        offered: ConnectionSetup,
        answered: ConnectionSetup?
    ) throws(MSRPError) -> ConnectionRole {
        switch (offered, answered) {
        case (.active, .passive), (.actpass, .passive), (.active, nil), (.actpass, nil): return .active
        case (.passive, .active), (.actpass, .active): return .passive
        case (.active, _), (.passive, _), (.actpass, _), (.holdconn, _): throw Self.noRole
        }
    }

    private static var noRole: MSRPError {
        MSRPError(.noConnectionRole, "neither end can open the connection")
    }
}
