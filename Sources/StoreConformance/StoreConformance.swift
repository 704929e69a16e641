/// Checks that hold for every store: run each against a fresh harness; one that throws says what the store did wrong.
public struct StoreConformance {
    /// One property of a store.
    public struct Check: Sendable, CustomStringConvertible {
        /// Says what holds.
        public let description: String
        private let body: @Sendable (any StoreHarness) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (any StoreHarness) async throws -> Void) {
            self.description = description
            self.body = body
        }

        /// Runs the check.
        /// - Throws: ``Violation``, or what the store threw.
        public func run(_ harness: any StoreHarness) async throws { try await body(harness) }
    }

    /// Every check, in the order of the protocol's documentation.
    public static let checks: [Check] =
        accountChecks + deviceChecks + itemChecks + listingChecks + contentChecks + searchChecks + outboxChecks
        + blobChecks + sessionChecks + transactionChecks + isolationChecks + recoveryChecks
}
