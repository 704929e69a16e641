public import NIOCore

/// The dialogs that one INVITE made at its sender: a forked INVITE may ring and be answered at several places
/// (RFC 3261 section 13.2.2).
///
/// The first 2xx is the call. Every further 2xx with another tag must be acknowledged and then ended with BYE; a 2xx
/// that comes again only needs its ACK again. Early dialogs that never got a final response of their own end when the
/// transaction does.
public struct DialogSet: Sendable, Hashable {
    /// What the owner does with a response.
    public enum Action: Sendable, Hashable {
        /// Nothing: a 100, or a response without a dialog.
        case none
        /// The response belongs to this early dialog, which is new.
        case early(DialogID)
        /// The response belongs to this early dialog, which was known.
        case progress(DialogID)
        /// The call is answered: send ACK in this dialog.
        case answered(DialogID)
        /// The same 2xx came again: send the same ACK again.
        case acknowledgeAgain(DialogID)
        /// Another place answered too late: send ACK, then BYE in this dialog.
        case acknowledgeAndEnd(DialogID)
        /// The INVITE failed for good; all early dialogs are over.
        case failed
        /// More early dialogs than ``DialogSet/maximumDialogs``; the response is ignored.
        case tooManyDialogs
    }

    /// How many dialogs one INVITE may make.
    public static let maximumDialogs = 64

    /// The INVITE that was sent.
    public let request: SIPMessage
    /// The dialogs by the remote tag.
    public private(set) var dialogs: [String: Dialog] = [:]
    /// The remote tag of the dialog that the call goes on in.
    public private(set) var answeredTag: String?

    /// Starts with an INVITE that is sent.
    public init(request: SIPMessage) { self.request = request }

    /// The dialog of an identifier, nil when there is none.
    public subscript(_ id: DialogID) -> Dialog? {
        get { self.dialogs[id.remoteTag] }
        set { self.dialogs[id.remoteTag] = newValue }
    }

    /// A response to the INVITE arrived.
    ///
    /// - Throws: What the header fields throw; the response should then be dropped.
    public mutating func received(_ response: SIPMessage) throws(SIPError) -> Action {
        guard let status = response.status, status != 100 else { return .none }
        if status.family > 2 {
            guard self.answeredTag == nil else { return .none }
            for key in self.dialogs.keys { self.dialogs[key]?.terminate() }
            return .failed
        }
        guard let tag = try response.to().tag ?? (status.isSuccess ? "" : nil) else { return .none }
        if self.dialogs[tag] == nil {
            guard self.dialogs.count < Self.maximumDialogs else { return .tooManyDialogs }
            guard let dialog = try Dialog(client: self.request, response: response) else { return .none }
            self.dialogs[tag] = dialog
            return status.isSuccess ? self.answered(tag, dialog.id) : .early(dialog.id)
        }
        guard let known = self.dialogs[tag] else { return .none }
        if status.isSuccess, known.state != .early {
            return tag == self.answeredTag ? .acknowledgeAgain(known.id) : .acknowledgeAndEnd(known.id)
        }
        try self.dialogs[tag]?.received(initialResponse: response)
        return status.isSuccess ? self.answered(tag, known.id) : .progress(known.id)
    }

    private mutating func answered(_ tag: String, _ id: DialogID) -> Action {
        if self.answeredTag == nil {
            self.answeredTag = tag
            return .answered(id)
        }
        return .acknowledgeAndEnd(id)
    }

    /// The client transaction ended (64*T1 after the first 2xx): early dialogs that did not become the call are over.
    ///
    /// - Returns: The dialogs that ended.
    public mutating func transactionEnded() -> [DialogID] {
        let early = self.dialogs.values.filter { $0.state == .early }.map(\.id)
        for id in early { self.dialogs[id.remoteTag]?.terminate() }
        return early
    }
}

/// Cancelling an INVITE that was sent (RFC 3261 section 9.1): a CANCEL waits for the first provisional response, and is
/// of no use after a final one.
public struct CancelMachine: Sendable, Hashable {
    /// Where things stand.
    public enum State: Sendable, Hashable {
        /// No response came yet.
        case silent
        /// No response came yet, and the user wants to cancel.
        case wanted
        /// A provisional response came.
        case proceeding
        /// CANCEL was sent; when no final response comes by then, the INVITE counts as cancelled.
        case sent(until: NIODeadline)
        /// A final response came.
        case done
    }

    /// What the owner does next.
    public enum Action: Sendable, Hashable {
        /// Nothing.
        case none
        /// Send CANCEL.
        case sendCancel
        /// The INVITE was answered although we cancelled: send ACK and BYE.
        case endAnsweredCall
        /// No final response came after the CANCEL: give the transaction up.
        case abandon
    }

    /// Where things stand.
    public private(set) var state: State
    private let timers: TransactionTimers

    /// Starts when the INVITE is sent.
    public init(timers: TransactionTimers = TransactionTimers()) {
        self.state = .silent
        self.timers = timers
    }

    init(state: State, timers: TransactionTimers) {
        self.state = state
        self.timers = timers
    }

    /// Whether the user wants to cancel, and no final response came yet.
    public var isAsked: Bool {
        switch self.state {
        case .wanted, .sent: true
        case .silent, .proceeding, .done: false
        }
    }

    /// When to call ``timeReached(_:)``, nil when no timer runs.
    public var deadline: NIODeadline? {
        if case .sent(let until) = self.state { until } else { nil }
    }

    /// The user wants to cancel.
    public mutating func cancel(now: NIODeadline) -> Action {
        switch self.state {
        case .silent:
            self.state = .wanted
            return .none
        case .proceeding:
            self.state = .sent(until: now + self.timers.transaction)
            return .sendCancel
        case .wanted, .sent, .done:
            return .none
        }
    }

    /// A response to the INVITE arrived.
    public mutating func received(_ response: ResponseClass, now: NIODeadline) -> Action {
        switch (self.state, response) {
        case (.silent, .provisional):
            self.state = .proceeding
            return .none
        case (.wanted, .provisional):
            self.state = .sent(until: now + self.timers.transaction)
            return .sendCancel
        case (.proceeding, .provisional), (.sent, .provisional), (.done, _):
            return .none
        case (.wanted, .success), (.sent, .success):
            self.state = .done
            return .endAnsweredCall
        case (.silent, .success), (.proceeding, .success), (.silent, .failure), (.wanted, .failure),
            (.proceeding, .failure), (.sent, .failure):
            self.state = .done
            return .none
        }
    }

    /// Time passed.
    public mutating func timeReached(_ now: NIODeadline) -> Action {
        guard case .sent(let until) = self.state, now >= until else { return .none }
        self.state = .done
        return .abandon
    }
}
