/// Every bound of the domain, in one place; the unit is the last word of each name.
public enum Limits {
    public static let addressBytes = 256
    public static let messageIDBytes = 128
    public static let subjectBytes = 998
    public static let fileNameBytes = 255
    public static let mediaTypeBytes = 127
    /// Text that travels inside the message; anything longer is an upload.
    public static let inlineTextBytes = 65536
    public static let messageParts = 32
    public static let receivers = 200
    /// Receivers of this provider that share the sender's commit; further ones go through the internal outbox.
    public static let receiversInCommit = 16
    public static let rulesPerList = 64
    public static let ruleNameBytes = 80
    public static let valuesPerCondition = 64
    public static let devicesPerAccount = 32
    public static let addressesPerAccount = 32
    public static let contactsPerAccount = 5000
    public static let contactListsPerAccount = 100
    public static let membersPerList = 1000
    /// Addresses of all lists together: they are read with every message for the user.
    public static let listedBytesPerAccount = 512 * 1024
    public static let blockedPerAccount = 1000
    public static let filesPerAccount = 10000
    /// Uploads of an account that wait or were not yet forgotten; their bytes together stay within its quota.
    public static let uploadsPerAccount = 1000
    public static let labelBytes = 80
    public static let capabilityPatterns = 64
    /// Items named by one command.
    public static let itemsPerCommand = 500
    /// How long a key is kept: longer than any client's offline queue, outbox expiry or peer's retry.
    public static let keyHorizonMilliseconds: Int64 = 60 * 86_400_000
    /// How far ahead of the server's clock a message id may claim to be.
    public static let clockSkewMilliseconds: Int64 = 86_400_000
    /// A sender's outbox gives up after this long.
    public static let outboxExpiryMilliseconds: Int64 = 14 * 86_400_000
    /// A device that was not seen for this long must reset.
    public static let deviceExpiryMilliseconds: Int64 = 180 * 86_400_000
    /// How long a registration holds without being renewed.
    public static let leaseMilliseconds: Int64 = 3_600_000
    /// A digest larger than this becomes a reset.
    public static let digestEntries = 20000
    public static let pageItems = 200
    /// An operator who means longer keeps everything.
    public static let retentionDays = 36500
}
