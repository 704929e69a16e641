public import ClientWire
public import MessagingCore

/// Why a call did not succeed.
public enum ClientError: Error, Sendable, CustomStringConvertible {
    /// The server refused; nothing was changed.
    case refused(Problem)
    /// No answer came: the server is down, or the network is. The call may be repeated.
    case unreachable(String)
    /// An answer came that is not of this contract.
    case unexpected(String)
    /// What this device keeps on disk could not be read or written.
    case storage(String)

    /// The refusal's code, if it is one.
    public var code: Refusal.Code? {
        if case .refused(let problem) = self { problem.code } else { nil }
    }

    /// Whether the same call can succeed later without being changed.
    public var isTemporary: Bool {
        switch self {
        case .unreachable: true
        case .refused(let problem): problem.status == 429 || problem.status >= 500
        case .unexpected, .storage: false
        }
    }

    public var description: String {
        switch self {
        case .refused(let problem): "\(problem.code.rawValue): \(problem.detail)"
        case .unreachable(let reason): reason
        case .unexpected(let reason): "unexpected answer: \(reason)"
        case .storage(let reason): reason
        }
    }
}
