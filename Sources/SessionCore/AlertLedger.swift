public import MessagingCore

/// What one device knows of a request that alerts.
///
/// ```
///   issued --shown--> shown --silence--> silenced
///      \________________\_________________\--withdraw--> withdrawing --acknowledged--> withdrawn
/// ```
public enum Alert: String, Hashable, Sendable, Codable {
    /// Sent, or to be sent when the device connects.
    case issued
    case shown
    /// The person ignores it here; the other devices go on.
    case silenced
    /// To be taken back: the device has not said yet that it did.
    case withdrawing
    case withdrawn

    /// What may happen to it.
    public enum Input: Hashable, Sendable {
        case shown
        case silence
        case withdraw
        /// The device has the withdrawal, perhaps before it ever had the alert.
        case acknowledged
    }

    /// Whether the device is to be told.
    public enum Action: Hashable, Sendable {
        case none
        case sendWithdrawal
    }

    /// Takes one input.
    public mutating func take(_ input: Input) -> Action {
        switch (self, input) {
        case (.issued, .shown): self = .shown
        case (.issued, .silence), (.shown, .silence): self = .silenced
        case (.issued, .withdraw), (.shown, .withdraw), (.silenced, .withdraw):
            self = .withdrawing
            return .sendWithdrawal
        case (.withdrawing, .acknowledged): self = .withdrawn
        case (.shown, .shown), (.silenced, .shown), (.silenced, .silence), (.withdrawing, _), (.withdrawn, _),
            (.issued, .acknowledged), (.shown, .acknowledged), (.silenced, .acknowledged):
            break
        }
        return .none
    }

    /// Whether the device may be ringing.
    public var rings: Bool { self == .issued || self == .shown }
}

/// The alerts of one request, a line for each device: so that no withdrawal is lost.
public struct AlertLedger: Hashable, Sendable, Codable {
    public private(set) var alerts: [DeviceID: Alert]

    /// Alerts these devices.
    public init(_ devices: some Sequence<DeviceID>) {
        alerts = Dictionary(devices.map { ($0, .issued) }) { first, _ in first }
    }

    /// A device has it, silences it, or has its withdrawal.
    public mutating func take(_ input: Alert.Input, from device: DeviceID) {
        _ = alerts[device]?.take(input)
    }

    /// Takes all alerts back.
    /// - Returns: the devices to tell, in order.
    public mutating func withdraw() -> [DeviceID] {
        alerts.keys.sorted().filter { alerts[$0]?.take(.withdraw) == .sendWithdrawal }
    }

    /// Whether every device has the withdrawal.
    public var isSettled: Bool { alerts.values.allSatisfy { $0 == .withdrawn } }

    /// Whether any device may be ringing.
    public var rings: Bool { alerts.values.contains(where: \.rings) }
}
