public import XMLBodies

/// Decides which reports one recipient sends on one message (RFC 5438 sections 7.2 and 9).
///
/// Delivery and display are told once each, whatever number of devices delivers and shows the message; what was not
/// asked for is never told; a notification is never reported on, for it asks for nothing.
///
/// ```
///   delivery: open -- delivered | failed | refused --> settled
///   display:  open -- displayed | refused ----------> settled
/// ```
public struct DispositionReporter: Sendable, Hashable {
    /// What happened to the message.
    public enum Event: Sendable, Hashable, CaseIterable {
        /// It reached the recipient.
        case delivered
        /// It cannot reach the recipient any more.
        case failed
        /// It was shown.
        case displayed
        /// Policy lets the sender know only that delivery is not told.
        case deliveryForbidden
        /// Policy lets the sender know only that display is not told.
        case displayForbidden
        /// The recipient's system cannot tell whether it was shown.
        case displayError
    }

    private let request: Set<DispositionRequest.Kind>
    private var isDeliveryOpen = true
    private var isDisplayOpen = true

    /// Begins for a message with a request; with none there is nothing to report.
    public init(_ request: DispositionRequest?) {
        self.request = Set(request?.kinds ?? [])
    }

    /// Whether no report can come any more.
    public var isSettled: Bool {
        let wantsDelivery = !self.request.isDisjoint(with: [.positiveDelivery, .negativeDelivery])
        return (!self.isDeliveryOpen || !wantsDelivery) && (!self.isDisplayOpen || !self.request.contains(.display))
    }

    /// Takes what happened.
    ///
    /// - Returns: the notifications to send, in order; none when nothing is to be told. A message that is shown
    ///   before it was known to be delivered is told as delivered first.
    public mutating func handle(_ event: Event) -> [IMDNDocument.Notification] {
        switch event {
        case .delivered:
            return self.settleDelivery(.delivered, if: .positiveDelivery)
        case .failed:
            return self.settleDelivery(.failed, if: .negativeDelivery)
        case .deliveryForbidden:
            return self.settleDelivery(.forbidden, if: .positiveDelivery)
        case .displayed:
            return self.settleDelivery(.delivered, if: .positiveDelivery) + self.settleDisplay(.displayed)
        case .displayForbidden:
            return self.settleDisplay(.forbidden)
        case .displayError:
            return self.settleDisplay(.error)
        }
    }

    private mutating func settleDelivery(
        _ status: IMDNDocument.Status,
        if kind: DispositionRequest.Kind
    ) -> [IMDNDocument.Notification] {
        guard self.isDeliveryOpen else { return [] }
        self.isDeliveryOpen = false
        return self.request.contains(kind) ? [.delivery(status)] : []
    }

    private mutating func settleDisplay(_ status: IMDNDocument.Status) -> [IMDNDocument.Notification] {
        guard self.isDisplayOpen else { return [] }
        self.isDisplayOpen = false
        return self.request.contains(.display) ? [.display(status)] : []
    }
}
