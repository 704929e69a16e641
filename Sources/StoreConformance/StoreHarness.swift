public import Store

/// What a store's author gives the suite: one place for data, and ways to open it and to be killed over it.
///
/// Each check is run with a harness of its own, which starts with nothing stored.
public protocol StoreHarness: Sendable {
    /// Opens what is there: nothing at first, later what the last store left behind.
    func open() async throws -> any Store
    /// Ends a store as a killed process ends: nothing is finished, nothing is flushed, nobody is told.
    ///
    /// What ``open()`` finds afterwards is what was on disk at that moment. Jobs of the killed store may still be
    /// running; whatever they do must not reach that.
    func crash(_ store: any Store) async throws
}

/// What a store did against its contract.
public struct Violation: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// A violation in a sentence.
    public init(_ description: String) { self.description = description }
}

func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    guard condition else { throw Violation(what()) }
}

func requireEqual<T: Equatable>(_ found: T, _ expected: T, _ what: @autoclosure () -> String) throws {
    guard found == expected else { throw Violation("\(what()): found \(found), expected \(expected)") }
}

func requireValue<T>(_ value: T?, _ what: @autoclosure () -> String) throws -> T {
    guard let value else { throw Violation("\(what()): found nothing") }
    return value
}

/// The error of a call that has to fail.
func failure(_ what: String, _ body: () async throws -> Void) async throws -> any Error {
    do {
        try await body()
    } catch {
        return error
    }
    throw Violation("\(what): it succeeded")
}
