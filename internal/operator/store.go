package operator

import (
	"github.com/twofold-dap/twofold/store"
)

// OpenLeaderStore opens the database of a Leader's directory by itself, for measurements: no
// server may be running. Whoever writes to it answers for what a server would make sure of.
func (d *Directory) OpenLeaderStore() (*store.Leader, error) {
	key, err := d.storeKey()
	if err != nil {
		return nil, err
	}
	return store.OpenLeader(d.databasePath(), key, store.Options{})
}

// OpenHelperStore is OpenLeaderStore for a Helper's directory.
func (d *Directory) OpenHelperStore() (*store.Helper, error) {
	key, err := d.storeKey()
	if err != nil {
		return nil, err
	}
	return store.OpenHelper(d.databasePath(), key, store.Options{})
}

func (d *Directory) storeKey() ([]byte, error) {
	key, err := readRootKey(d.file(keyFile))
	if err != nil {
		return nil, err
	}
	return key.storeKey()
}
