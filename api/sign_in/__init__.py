"""How a person comes in: by a code, a passkey or a wallet; without a password, and without telling who is a member."""
